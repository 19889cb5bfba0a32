"""The only place where time and randomness come from outside.

Everything else takes them as values: a test gives a virtual clock and fixed ids instead.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Protocol

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LONGEST_WAIT_SECONDS = 3_600.0


class Cancellable(Protocol):
    """A wake-up that may be called off."""

    def cancel(self) -> None:
        """Call it off."""
        ...


class Clock(Protocol):
    """Time in Unix milliseconds, and wake-ups in it."""

    def now_ms(self) -> int:
        """The time now."""
        ...

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Cancellable:
        """Call back then, or earlier; the callback looks at the time itself."""
        ...


class SystemClock:
    """The machine's clock and the running event loop."""

    def now_ms(self) -> int:
        """The time now."""
        return int(time.time() * 1_000)  # noqa: TID251 - this file is the adapter

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Cancellable:
        """Call back then, or after an hour if that is earlier."""
        seconds = (at_ms - self.now_ms()) / 1_000
        return asyncio.get_running_loop().call_later(min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS), callback)


def random_text(length: int) -> str:
    """Letters and digits that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
