"""Ctrl-C and SIGTERM: the first one ends the work in good order, the second one ends it at once.

Invariant: the first signal cancels the work, so its `finally` blocks run to their end; no later signal cancels those.
The code that started processes defines what "at once" means (`at_once`).
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether the person asked for the end, and what a second request does."""

    def __init__(self, notice: Callable[[], None]) -> None:
        self.interrupted_times = 0
        self.at_once: Callable[[], None] = lambda: None
        self._notice = notice

    def interrupt(self, work: asyncio.Task[int]) -> None:
        """Take one request to end."""
        self.interrupted_times += 1
        if self.interrupted_times == 1:
            self._notice()
            work.cancel()
        else:
            self.at_once()


def run_until_interrupted(
    work: Callable[[Interruption], Coroutine[Any, Any, int]], notice: Callable[[], None], code_when_interrupted: int
) -> int:
    """Run the work and return its exit code; a second request to end always gives exit code 1."""
    interruption = Interruption(notice)

    async def guarded() -> int:
        task = asyncio.ensure_future(work(interruption))
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, interruption.interrupt, task)
        try:
            return await task
        except asyncio.CancelledError:
            if interruption.interrupted_times == 0:
                raise
            return code_when_interrupted if interruption.interrupted_times == 1 else 1

    return asyncio.run(guarded())
