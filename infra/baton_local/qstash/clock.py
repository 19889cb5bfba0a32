"""The only place where time and randomness come from outside; for tests, a clock that only moves when told to.

Everything else takes them as values. Invariant: `advance` rings every wake-up on its way at its own time, in order.
"""

import asyncio
import heapq
import secrets
import time
from collections.abc import Callable
from typing import Protocol

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LONGEST_WAIT_SECONDS = 3_600.0


class Cancellable(Protocol):
    """A wake-up that may be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time in Unix milliseconds, and wake-ups in it."""

    def now_ms(self) -> int: ...

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Cancellable:
        """Call back then, or earlier; the callback looks at the time itself."""
        ...


class SystemClock:
    """The machine's clock and the running event loop."""

    def now_ms(self) -> int:
        return int(time.time() * 1_000)  # noqa: TID251 - this file is the adapter

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Cancellable:
        """Call back then, or after an hour if that is earlier."""
        seconds = (at_ms - self.now_ms()) / 1_000
        return asyncio.get_running_loop().call_later(min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS), callback)


def random_text(length: int) -> str:
    """Return letters and digits that cannot be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class _WakeUp:
    """One wake-up; cancelled ones are skipped."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """Time in Unix milliseconds that a test moves."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._count = 0
        self._wake_ups: list[tuple[int, int, _WakeUp]] = []

    def now_ms(self) -> int:
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
