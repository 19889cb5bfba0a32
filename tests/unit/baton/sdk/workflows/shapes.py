"""The shapes that free branches make possible, each with what its job comes to, whatever dies on the way."""

import asyncio

from baton import Registry, ToolError, approval, tool, wait_for_event, workflow
from baton.testing import Simulation


@tool
async def do(what: str) -> str:
    """Do something to the world outside."""
    Simulation.effect(what)
    return what


@tool(requires_approval=True)
async def pay(euros: int) -> int:
    """Pay."""
    Simulation.effect(f"pay {euros}")
    return euros


@workflow
async def ships_at_once() -> list[object]:
    """One branch waits three days for an event, and holds up no other one."""
    loop, begun = asyncio.get_running_loop(), asyncio.get_running_loop().time()

    async def ship() -> bool:
        await do("pack")
        await do("ship")
        return loop.time() - begun < 600

    shipped, paid = await asyncio.gather(ship(), wait_for_event("paid", 3 * 86_400))
    return [shipped, paid]


@workflow
async def first_of() -> list[str]:
    tasks = [asyncio.create_task(asyncio.sleep(wait, name)) for wait, name in ((50_000, "slow"), (5, "fast"))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    return [*[each.result() for each in done], await do("after")]


@workflow
async def in_an_hour() -> str:
    try:
        async with asyncio.timeout(3600):
            await do("bake")
            await asyncio.sleep(4000)
            return await do("deliver")
    except TimeoutError:
        return await do("excuse")


@workflow
async def reminded() -> bool:
    async def remind() -> None:
        while True:
            await asyncio.sleep(86_400)
            await do("remind")

    reminder = asyncio.create_task(remind())
    decision = await approval("Renew?", timeout_seconds=2.5 * 86_400)
    reminder.cancel()
    return decision.approved


@workflow
async def item(number: int) -> int:
    return int((await do(f"item {number}")).partition(" ")[2])


@workflow
async def five_at_a_time(count: int) -> int:
    """A queue and its workers, each of whose items is a job below."""
    todo: asyncio.Queue[int] = asyncio.Queue()
    for number in range(count):
        todo.put_nowait(number)

    async def worker() -> int:
        found = 0
        while not todo.empty():
            found += await item(todo.get_nowait())
        return found

    return sum(await asyncio.gather(*[worker() for _ in range(5)]))


@workflow
async def approved_beside() -> list[object]:
    """What waits for a person holds nothing else."""
    async with asyncio.TaskGroup() as group:
        paid, done = group.create_task(pay(7)), group.create_task(do("pack"))
    return [paid.result(), done.result()]


@workflow
async def trip() -> None:
    booked: list[str] = []
    try:
        for what in ("flight", "hotel", "car"):
            booked.append(await do(what))
            await asyncio.sleep(3600)
    except (ToolError, asyncio.CancelledError):
        for what in reversed(booked):
            await do(f"cancel {what}")
        raise


registry = Registry(
    workflows=[ships_at_once, first_of, in_an_hour, reminded, item, five_at_a_time, approved_beside, trip]
)
