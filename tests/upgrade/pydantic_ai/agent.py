"""The durable agent of pydantic-ai that stored runs are of: the same under every version of pydantic-ai.

Invariant: what is here stays as it is, as in `agents`.
"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent as PydanticAIAgent
from pydantic_ai import ModelMessage, ModelResponse, ModelRetry, RunContext, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Agent, Limits
from baton.pydantic_ai import durable, tool_context

MONTH_SECONDS = 30 * 86_400
Note = Callable[[tuple[str, dict[str, Any], str]], None]


class Trip(BaseModel):
    """A trip that is planned."""

    city: str
    euros: int


def _call(tool: str, tool_call_id: str, **arguments: Any) -> ToolCallPart:
    return ToolCallPart(tool, arguments, tool_call_id)


def _answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Two calls at once, a call that is retried, one that waits for a person, an output that is corrected."""
    final = "final_result"
    turns: list[list[TextPart | ToolCallPart]] = [
        [TextPart("Both prices."), _call("price", "1", of="train"), _call("price", "2", of="hotel")],
        [_call("seats", "3", count=0)],
        [_call("seats", "4", count=2)],
        [_call("book", "5", euros=120)],
        [_call(final, "6", city="Ulm", euros=0)],
        [_call(final, "7", city="Ulm", euros=120)],
    ]
    return ModelResponse(turns[sum(isinstance(message, ModelResponse) for message in messages)])


def trips(note: Note) -> Agent:
    """The agent; `note` is told of each run of a tool."""
    agent = PydanticAIAgent(FunctionModel(_answer), name="trips", output_type=Trip, instructions="Plan a trip.")

    @agent.tool
    async def price(ctx: RunContext[Any], of: str) -> dict[str, Any]:
        note(("price", {"of": of}, tool_context().idempotency_key))
        return {"of": of, "euros": 60, "told": len(ctx.messages)}

    @agent.tool(retries=2)
    async def seats(ctx: RunContext[Any], count: int) -> str:
        note(("seats", {"count": count}, tool_context().idempotency_key))
        if not count:
            raise ModelRetry(f"how many? (retry {ctx.retry})")
        return f"{count} seats, retry {ctx.retry} of step {ctx.run_step}"

    @agent.tool_plain(requires_approval=True)
    async def book(euros: int) -> str:
        note(("book", {"euros": euros}, tool_context().idempotency_key))
        return f"booked for {euros} euros"

    @agent.output_validator
    def costs_something(trip: Trip) -> Trip:
        if not trip.euros:
            raise ModelRetry("no trip is free")
        return trip

    return durable(agent, limits=Limits(wall_seconds=MONTH_SECONDS))
