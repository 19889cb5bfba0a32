"""A clock that only moves when told to."""

import asyncio
import heapq
from collections.abc import Callable

from baton_local.qstash.clock import Clock


class VirtualClock(Clock):
    """`advance` rings every wake-up on its way at its own time, in order."""

    def __init__(self) -> None:
        self._now_ms, self._count = 1_700_000_000_000, 0
        self._wake_ups: list[tuple[int, int, asyncio.TimerHandle, Callable[[], None]]] = []

    def now_ms(self) -> int:
        return self._now_ms

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self._count += 1
        handle = asyncio.TimerHandle(at_ms, callback, (), asyncio.get_running_loop())
        heapq.heappush(self._wake_ups, (at_ms, self._count, handle, callback))
        return handle

    def advance(self, milliseconds: int) -> None:
        """Move on; deliveries that a wake-up starts run when the event loop does."""
        end_ms = self._now_ms + milliseconds
        while self._wake_ups and self._wake_ups[0][0] <= end_ms:
            at_ms, _, handle, callback = heapq.heappop(self._wake_ups)
            self._now_ms = max(self._now_ms, at_ms)
            if not handle.cancelled():
                callback()
        self._now_ms = end_ms
