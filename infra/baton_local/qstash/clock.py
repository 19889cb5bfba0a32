"""The only place where time and randomness come from outside; everything else takes them as values."""

import asyncio
import secrets
import time
from collections.abc import Callable

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LONGEST_WAIT_SECONDS = 3_600.0


class Clock:
    """The machine's clock, in Unix milliseconds, and the running event loop."""

    def now_ms(self) -> int:
        return int(time.time() * 1_000)  # noqa: TID251 - this file is the adapter

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back then, or after an hour if that is earlier; the callback looks at the time itself."""
        seconds = (at_ms - self.now_ms()) / 1_000
        return asyncio.get_running_loop().call_later(min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS), callback)


def random_text(length: int) -> str:
    """Return letters and digits that cannot be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
