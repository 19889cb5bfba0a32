"""The job that the page on costs speaks of: five tool calls, one after another, each with a result of about 1 kB."""

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool

CALLS = 5
RESULT = "All work and no play makes a lighthouse keeper a dull person. " * 16


@tool
async def look_up(topic: str) -> str:
    """Look a topic up."""
    return f"{topic}: {RESULT}"


registry = Registry(
    agents=[
        Agent(
            name="typical",
            model=ScriptedModel([*([Call("look_up", {"topic": f"topic {n}"})] for n in range(CALLS)), "Looked up."]),
            tools=[look_up],
            limits=Limits(turns=CALLS + 1),
        )
    ]
)
