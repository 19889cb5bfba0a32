"""Tools that are slower than their limit."""

import asyncio
import time

from baton import ToolContext, tool
from tests.unit.baton.testing.planted import outside


@tool
def blocking() -> str:
    time.sleep(60)
    return "done"


@tool
async def waiting() -> str:
    await asyncio.sleep(60)
    return "done"


@tool(timeout_seconds=1, retries=0)
async def a_little() -> str:
    await asyncio.sleep(2)
    return "done"


@tool
async def many_pages(ctx: ToolContext) -> str:
    for page in range(12):
        await asyncio.sleep(5)
        await ctx.progress(page / 12)
    return "done"


@tool
def only_the_first_time(ctx: ToolContext) -> str:
    if ctx.attempt == 1:
        time.sleep(45)
    return "done"


PLANTED = {one.name: outside.registry([one]) for one in (blocking, waiting, a_little, many_pages, only_the_first_time)}
