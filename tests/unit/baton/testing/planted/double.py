"""Two writes that are no one write."""

import asyncio

from baton import ToolContext, tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside


@tool
def marked_first(ctx: ToolContext) -> str:
    if ctx.idempotency_key not in outside.marks:
        outside.marks[ctx.idempotency_key] = "paid"
        Simulation.effect(ctx.idempotency_key)
    return "paid"


@tool
def added(ctx: ToolContext) -> int:
    Simulation.effect(ctx.idempotency_key)
    outside.sums["euros"] += 40
    return outside.sums["euros"]


@tool
def key_of_rows(ctx: ToolContext) -> str:
    Simulation.effect(f"{ctx.idempotency_key}:first")
    outside.rows.append("row")
    Simulation.effect(f"{ctx.idempotency_key}:{len(outside.rows)}")
    return "written"


@tool
async def row_and_message(ctx: ToolContext) -> int:
    outside.rows.append("row")
    await asyncio.sleep(1)
    Simulation.effect(ctx.idempotency_key)
    return len(outside.rows)


@tool
async def marked_long_before(ctx: ToolContext) -> str:
    if outside.marks.setdefault("sender", ctx.job_id) and "sent" in outside.marks:
        return "sent"
    outside.marks["sent"] = "yes"
    await asyncio.sleep(2)
    Simulation.effect(f"mail of {ctx.idempotency_key}")
    return "sent"


PLANTED = {
    one.name: outside.registry([one]) for one in (marked_first, added, key_of_rows, row_and_message, marked_long_before)
}
