"""Programs whose branches do not wait for each other: races, limits, reminders, workers, a saga that is cancelled."""

import asyncio
from typing import Any

from baton import ToolContext, ToolError, approval, sleep, tool, wait_for_event, workflow
from baton.sdk.agents.agent import CodeAgent
from baton.testing import Simulation


@tool
async def act(what: str, ctx: ToolContext | None = None) -> str:
    assert ctx is not None, "a running tool gets its context"
    Simulation.effect(ctx.idempotency_key)
    return what


@tool(requires_approval=True)
async def pay(euros: int, ctx: ToolContext | None = None) -> int:
    assert ctx is not None, "a running tool gets its context"
    Simulation.effect(ctx.idempotency_key)
    return euros


def _since(began: float) -> int:
    return round(asyncio.get_running_loop().time() - began)


@workflow
async def ships_at_once() -> list[Any]:
    began = asyncio.get_running_loop().time()

    async def ship() -> bool:
        await act("pack")
        await act("ship")
        return _since(began) < 600

    return list(await asyncio.gather(ship(), wait_for_event("payment", 3 * 86_400)))


@workflow
async def first_wins() -> list[Any]:
    began = asyncio.get_running_loop().time()
    quick = asyncio.create_task(asyncio.sleep(5, "quick"))
    late = asyncio.create_task(_slow("late", 86_400))
    done, pending = await asyncio.wait([quick, late], return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await act("after")
    return [[task.result() for task in done], len(pending), _since(began) < 600]


async def _slow(name: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return await act(name)


@workflow
async def three_in_time(seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            for what in ("one", "two", "three"):
                await act(what)
                await sleep(60)
    except TimeoutError:
        return await act("undo")
    return "in time"


@workflow
async def reminded_daily() -> list[Any]:
    asked = asyncio.create_task(decides())
    reminders = 0
    while not (await asyncio.wait([asked], timeout=86_400))[0]:
        reminders += 1
        await act(f"remind {reminders}")
    return [asked.result(), reminders]


@workflow
async def decides() -> str:
    decision = await approval("Ship?", {"a": 1}, timeout_seconds=2.5 * 86_400)
    return "late" if decision.timed_out else str(decision.approved)


@workflow
async def approved_beside() -> list[Any]:
    """What waits for a person holds nothing else."""
    async with asyncio.TaskGroup() as group:
        paid, done = group.create_task(pay(7)), group.create_task(act("pack"))
    return [paid.result(), done.result()]


@workflow
async def item(number: int) -> str:
    return await act(f"item {number}")


@workflow
async def worked_off(items: int, workers: int) -> list[str]:
    """A queue and its workers, each of whose items is a job below."""
    queue, done = asyncio.Queue[int](), list[str]()
    for number in range(items):
        queue.put_nowait(number)

    async def work() -> None:
        while not queue.empty():
            done.append(await item(queue.get_nowait()))

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return sorted(done, key=lambda text: int(text.split()[1]))


@workflow
async def saga() -> str:
    undo = list[str]()
    try:
        for what in ("flight", "hotel", "car"):
            await act(f"book {what}")
            undo.append(f"cancel {what}")
            await sleep(3600)
    except (ToolError, asyncio.CancelledError):
        for what in reversed(undo):
            await act(what)
        raise
    return "booked"


ALL: list[CodeAgent] = [
    *(ships_at_once, first_wins, three_in_time, reminded_daily, decides, approved_beside, item, worked_off, saga)
]
