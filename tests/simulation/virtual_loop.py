"""An asyncio event loop whose time is a number: instead of sleeping it moves the number on to the next timer.

Invariant: the same tasks in the same order give the same run; nothing waits for real time and nothing uses sockets or
threads. One loop serves many worlds, one after the other.
"""

import asyncio
import selectors
from typing import Any, cast


class _NeverWaits(selectors.SelectSelector):
    """Called by the loop when nothing is ready: moves the time on, or stops the loop when no timer is left."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            self.loop.stop()
        elif timeout > 0:
            self.loop.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `run_until_idle` runs until no task and no timer is left, or until `stop`."""

    def __init__(self) -> None:
        self._now_seconds = 0.0
        selector = _NeverWaits()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-6  # sums of floats may end a hair before a timer

    def time(self) -> float:
        """Seconds since the world began."""
        return self._now_seconds

    def advance(self, seconds: float) -> None:
        """Let that much time pass at once."""
        self._now_seconds += seconds

    async def pause(self, seconds: float) -> None:
        """`asyncio.sleep`, without going through the loop where nothing else happens meanwhile."""
        private, until = cast("Any", self), self._now_seconds + seconds
        timers = private._scheduled
        if private._ready or private._stopping or (timers and timers[0]._when <= until):
            await asyncio.sleep(seconds)
        else:
            self._now_seconds = until

    def run_until_idle(self) -> None:
        """Run until nothing is left to happen."""
        self.run_forever()

    def clear(self) -> None:
        """End what still runs and drop what was to come; the time begins again."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        private = cast("Any", self)
        private._scheduled.clear()
        private._timer_cancelled_count = 0
        self.run_until_idle()
        private._scheduled.clear()
        private._ready.clear()
        self._now_seconds = 0.0
