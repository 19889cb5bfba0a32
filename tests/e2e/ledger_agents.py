"""Agents of each shape that a ledger has to count, and the typical job that the page on costs speaks of."""

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, ToolError, tool

# Tool calls of the typical job, one after another, each with a result of about 1 kB.
CALLS = 5
RESULT = "All work and no play makes a lighthouse keeper a dull person. " * 16


@tool
async def look_up(topic: str) -> str:
    return f"{topic}: {RESULT}"


@tool
async def count(number: int) -> int:
    """Count one further."""
    return number + 1


@tool(retries=2, retry_delay_seconds=0)
async def flaky(ctx: ToolContext) -> str:
    """Fail at the first attempt."""
    if ctx.attempt == 1:
        raise ToolError("not yet", retryable=True)
    return "done"


@tool
async def ask_another(ctx: ToolContext) -> Pending:
    """Let another agent count."""
    return ctx.start("in-a-row", "count")


registry = Registry(
    agents=[
        Agent(
            name="in-a-row",
            model=ScriptedModel([*([Call("count", {"number": number})] for number in range(3)), "Counted."]),
            tools=[count],
        ),
        Agent(
            name="at-once",
            model=ScriptedModel([[Call("count", {"number": number}) for number in range(10)], "Counted."]),
            tools=[count],
        ),
        Agent(name="tries-again", model=ScriptedModel([[Call("flaky", {})], "Tried."]), tools=[flaky]),
        Agent(name="has-a-child", model=ScriptedModel([[Call("ask_another", {})], "Requested."]), tools=[ask_another]),
        Agent(
            name="typical",
            model=ScriptedModel([*([Call("look_up", {"topic": f"topic {n}"})] for n in range(CALLS)), "Looked up."]),
            tools=[look_up],
            limits=Limits(turns=CALLS + 1),
        ),
    ]
)
