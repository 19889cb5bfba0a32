"""The agent of `baton demo pydantic`: one of pydantic-ai, made durable by a line. Its model is a script.

Invariant: offline; the agent itself uses pydantic-ai alone. Imported by the app that the demo starts, never by the
command line.
"""

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent, ModelMessage, ModelResponse, ModelRetry, RunContext, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton.sdk.agents.registry import Registry
from baton.sdk.pydantic_ai.runner import durable

Prices = dict[str, int]


class Trip(BaseModel):
    """A trip that is planned."""

    city: str
    euros: int
    booking: str


def _script(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    trip = {"city": "Ulm", "booking": "ULM-7"}
    turns: list[list[TextPart | ToolCallPart]] = [
        [
            TextPart("I ask for both prices at once."),
            ToolCallPart("price", {"of": "train"}),
            ToolCallPart("price", {"of": "hotel"}),
        ],
        [TextPart("Together 120 euros; somebody has to approve that."), ToolCallPart("reserve", {"euros": 120})],
        [ToolCallPart("final_result", {**trip, "euros": 0})],
        [ToolCallPart("final_result", {**trip, "euros": 120})],
    ]
    return ModelResponse(parts=turns[sum(isinstance(message, ModelResponse) for message in messages)])


trip_planner = Agent(FunctionModel(_script), name="trip-planner", deps_type=Prices, output_type=Trip)


@trip_planner.tool
async def price(ctx: RunContext[Prices], of: str) -> int:
    """Look up a price in euros."""
    await asyncio.sleep(0.3)  # long enough to be killed in
    return ctx.deps[of]


@trip_planner.tool_plain(requires_approval=True)
def reserve(euros: int) -> str:
    """Book the trip."""
    return f"booked for {euros} euros as ULM-7"


@trip_planner.output_validator
def costs_something(trip: Trip) -> Trip:
    """Refuse a trip that is free."""
    if trip.euros == 0:
        raise ModelRetry("no trip is free: state what it costs")
    return trip


registry = Registry(agents=[durable(trip_planner, deps=lambda _job: {"train": 50, "hotel": 70})])
