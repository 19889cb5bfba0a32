"""Agents of every protocol: one talks slowly, and can be cut off in mid-text; one asks before it pays."""

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
from baton.sdk.models.model import ModelAnswer

WORDS = 70
FIRST = "First I look " + " ".join(f"here-{number}" for number in range(WORDS // 2)) + "."
ANSWER = "The answer: " + " ".join(f"word-{number}" for number in range(WORDS)) + "."
EXPOSED = {"a2a", "mcp"}


@tool
def look(number: int) -> str:
    """Look something up."""
    return f"found {number}"


@tool(requires_approval=True)
async def pay(euros: int, ctx: ToolContext) -> str:
    await ctx.info("state", {"paid": euros})
    return f"{euros} paid"


talks = ScriptedModel([ModelAnswer(FIRST, (Call("look", {"number": 1}),)), ANSWER], pause_seconds=0.02)
pays = ScriptedModel([[Call("pay", {"euros": 400})], "done"])
registry = Registry(
    agents=[
        Agent(name="talker", model=talks, tools=[look], description="Talks slowly.", expose=EXPOSED),
        Agent(name="payer", model=pays, tools=[pay], expose=EXPOSED),
    ]
)
