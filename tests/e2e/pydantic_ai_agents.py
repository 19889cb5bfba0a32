"""An agent of pydantic-ai for processes that die: what it did is noted in the file NOTES names."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import JobInfo, Registry
from baton.pydantic_ai import durable, tool_context

NOTES = Path(os.environ["NOTES"])  # noqa: TID251 - a user's tool may read its environment
HEARD = NOTES.with_name("heard")


class Trip(BaseModel):
    city: str
    euros: int


def note(text: str) -> None:
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


async def plan_trip(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Two calls at once, one call that waits for a person, then the trip."""
    turn = sum(isinstance(message, ModelResponse) for message in messages)
    note(f"model {turn}")
    await asyncio.sleep(0.7)
    turns = [
        [ToolCallPart("price", {"of": "train"}), ToolCallPart("price", {"of": "hotel"})],
        [ToolCallPart("book", {"euros": 120})],
        [ToolCallPart("final_result", {"city": "Ulm", "euros": 12})],
        [ToolCallPart("final_result", {"city": "Ulm", "euros": 120})],
    ]
    return ModelResponse(parts=list(turns[turn]))


planner: Agent[str, Trip] = Agent(FunctionModel(plan_trip), name="planner", output_type=Trip, deps_type=str)


@planner.tool
async def price(ctx: RunContext[str], of: str) -> int:
    """Look up a price."""
    note(f"begin {of} {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    note(f"end {of} for {ctx.deps}")
    return 60


@planner.tool_plain(requires_approval=True)
async def book(euros: int) -> str:
    """Book the trip."""
    note(f"book {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    return f"booked for {euros} euros"


@planner.output_validator
def enough(ctx: RunContext[str], trip: Trip) -> Trip:
    if trip.euros < 100:
        raise ModelRetry(f"too little, try {ctx.retry}")
    return trip


def who(job: JobInfo) -> Any:
    return job.input_data["who"]


async def tell(_messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str]:
    """Begin, and go on once somebody has heard that."""
    yield "Once upon "
    while not HEARD.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    yield "a time."


teller = Agent(FunctionModel(stream_function=tell), name="teller")
registry = Registry(agents=[durable(planner, deps=who), durable(teller)])
