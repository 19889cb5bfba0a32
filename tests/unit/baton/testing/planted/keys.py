"""Effects without the idempotency key."""

import asyncio

from baton import ToolContext, ToolError, tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside


@tool
def starting_time(ctx: ToolContext) -> str:
    Simulation.effect(f"{ctx.call_id}:{ctx.started_at_ms}")
    return "paid"


@tool
def sequence() -> str:
    Simulation.effect(f"payment {outside.following()}")
    return "paid"


@tool
async def sequence_before_a_pause() -> str:
    number = outside.following()
    Simulation.effect(f"payment {number}")
    await asyncio.sleep(3)
    return "paid"


@tool
def second_effect(ctx: ToolContext) -> str:
    Simulation.effect(ctx.idempotency_key)
    Simulation.effect(f"receipt {outside.following()}")
    return "paid"


@tool(retries=3)
def attempt_in_key(ctx: ToolContext) -> str:
    Simulation.effect(f"{ctx.idempotency_key}:{ctx.attempt}:{outside.following('tries')}")
    if ctx.attempt == 1:
        raise ToolError("the bank is busy", retryable=True)
    return "paid"


PLANTED = {
    one.name: outside.registry([one])
    for one in (starting_time, sequence, sequence_before_a_pause, second_effect, attempt_in_key)
}
