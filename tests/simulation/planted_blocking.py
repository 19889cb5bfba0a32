"""Defects that only tools which block show: what hangs holds others up, runs twice, or is nobody's business."""

import asyncio
from collections.abc import Callable
from typing import Any

from baton.tools.running_calls import RunningCalls
from tests.simulation.blocking import Threads
from tests.simulation.planting import Defect, Patch, constant

_FEW = 2


def _in_a_pool(original: Callable[..., Any]) -> Callable[..., Any]:
    """As asyncio's own executor does it: so many threads, and whoever comes next waits for one."""

    async def in_thread(self: Threads, function: Callable[..., Any], *arguments: Any) -> Any:
        pool = vars(self).setdefault("pool", asyncio.Semaphore(_FEW))
        async with pool:
            return await original(self, function, *arguments)

    return in_thread


DEFECTS = (
    Defect(
        "threads are a few, which calls that hang keep",
        "a_call_starts_with_its_claim",
        (Patch(Threads, "__call__", _in_a_pool),),
        blocking=True,
    ),
    Defect(
        "a call that waits for a thread has its time run out",
        "a_time_out_is_of_a_call_that_runs",
        (Patch(Threads, "__call__", _in_a_pool),),
        blocking=True,
    ),
    Defect(
        "an attempt starts beside the one before it, which hangs",
        "one_copy_runs_in_a_process",
        (constant(RunningCalls, "_joined", None),),
        blocking=True,
    ),
    Defect(
        "a process is healthy, however many calls hang",
        "a_process_in_which_too_much_hangs_is_replaced",
        (constant(RunningCalls, "fault", ""),),
        blocking=True,
    ),
)
