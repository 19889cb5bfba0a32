"""Swallowed cancellations."""

import asyncio
import contextlib

from baton import ToolContext, tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside


@tool
async def partial_result() -> str:
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        return "half of it"
    return "all of it"


@tool
async def bare_except(ctx: ToolContext) -> str:
    try:
        await asyncio.sleep(5)
    except:  # noqa: E722 - planted
        await asyncio.sleep(0)
    Simulation.effect(ctx.idempotency_key)
    return "paid"


@tool
async def again_and_again() -> str:
    for _ in range(10):
        with contextlib.suppress(BaseException):
            await asyncio.sleep(2)
    return "polled"


@tool
async def goes_on() -> str:
    work = asyncio.ensure_future(asyncio.sleep(4))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await work
    return "finished"


@tool
async def deep_inside() -> list[str]:
    return [await _fetch()]


async def _fetch() -> str:
    try:
        await asyncio.sleep(4)
    except asyncio.CancelledError:
        return "nothing"
    return "page"


PLANTED = {
    one.name: outside.registry([one]) for one in (partial_result, bare_except, again_and_again, goes_on, deep_inside)
}
