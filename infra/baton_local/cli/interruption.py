"""Ctrl-C and SIGTERM: the first one ends the work in good order, the second one ends it at once.

Invariant: the first signal cancels the work, so its `finally` blocks run to their end; no later signal cancels those.
The work's output may lose its reader (`| head`, a `tee` that the same Ctrl-C ends): what is written then goes nowhere,
and breaks off neither the work nor its end. The code that started processes defines what "at once" means (`at_once`).
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TextIO, cast

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether the person asked for the end, and what a second request does."""

    def __init__(self, notice: Callable[[], None]) -> None:
        self.interrupted_times = 0
        self.at_once: Callable[[], None] = lambda: None
        self._notice = notice

    def interrupt(self, work: asyncio.Task[int]) -> None:
        self.interrupted_times += 1
        if self.interrupted_times == 1:
            self._notice()
            work.cancel()
        else:
            self.at_once()


class LosingReaders:
    """A text output that writes nowhere once its reader is gone; all else is as its stream has it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._give_up()

    def _give_up(self) -> None:
        """Lead the stream nowhere, so that what it still keeps can leave it, at the latest as the process ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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

    outputs = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", LosingReaders(stream)) for stream in outputs)
    try:
        return asyncio.run(guarded())
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = outputs
