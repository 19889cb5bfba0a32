"""Agents that are exposed by A2A: one talks slowly, one asks before it pays."""

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.models.model import ModelAnswer
from tests.e2e.stream_agents import ANSWER, FIRST, look


@tool(requires_approval=True)
async def pay(euros: int) -> str:
    """Pay."""
    return f"{euros} paid"


talks = ScriptedModel([ModelAnswer(FIRST, (Call("look", {"number": 1}),)), ANSWER], pause_seconds=0.02)
talker = Agent(name="talker", model=talks, tools=[look], description="Talks slowly.", expose="a2a")
payer = Agent(name="payer", model=ScriptedModel([[Call("pay", {"euros": 400})], "done"]), tools=[pay], expose="a2a")
registry = Registry(agents=[talker, payer])
