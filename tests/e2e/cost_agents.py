"""Agents that use k tools one after another, for counting what a step costs: `--app tests.e2e.cost_agents:registry`."""

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool

LENGTHS = (5, 100, 195)


@tool
async def count(number: int) -> int:
    """Count one further.

    Args:
        number: where to go on from.
    """
    return number + 1


registry = Registry(
    agents=[
        Agent(
            name=f"steps-{length}",
            model=ScriptedModel([*([Call("count", {"number": number})] for number in range(length)), "Counted."]),
            tools=[count],
            limits=Limits(turns=1000, tool_calls=1000),
        )
        for length in LENGTHS
    ]
)
