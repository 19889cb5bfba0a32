"""Agents for front ends: one talks slowly, one asks before it pays and shares a state."""

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
from tests.e2e.stream_agents import talker


@tool(requires_approval=True)
async def pay(euros: int, ctx: ToolContext) -> str:
    """Pay."""
    await ctx.info("state", {"paid": euros})
    return f"{euros} paid"


payer = Agent(name="payer", model=ScriptedModel([[Call("pay", {"euros": 400})], "done"]), tools=[pay])
registry = Registry(agents=[talker, payer])
