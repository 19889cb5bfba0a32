"""A clock that only moves when told to: the server in process, in tests, without waiting.

Invariant: `advance` rings every wake-up on its way at its own time, in order.
"""

import heapq
from collections.abc import Callable


class _WakeUp:
    """One wake-up; cancelled ones are skipped."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Call it off."""
        self.callback = None


class VirtualClock:
    """Time in Unix milliseconds that a test moves."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._count = 0
        self._wake_ups: list[tuple[int, int, _WakeUp]] = []

    def now_ms(self) -> int:
        """The time now."""
        return self._now_ms

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> _WakeUp:
        """Call back when time is advanced to then."""
        self._count += 1
        wake_up = _WakeUp(callback)
        heapq.heappush(self._wake_ups, (at_ms, self._count, wake_up))
        return wake_up

    def advance(self, milliseconds: int) -> None:
        """Move on; deliveries that a wake-up starts run when the event loop does."""
        end_ms = self._now_ms + milliseconds
        while self._wake_ups and self._wake_ups[0][0] <= end_ms:
            at_ms, _, wake_up = heapq.heappop(self._wake_ups)
            self._now_ms = max(self._now_ms, at_ms)
            if wake_up.callback is not None:
                wake_up.callback()
        self._now_ms = end_ms
