"""Whether this process has been told to stop: streams end then, so that they do not keep it from stopping.

What the server breaks off is given back to the store before the process ends.

Invariant: whoever handled the signal before handles it still; what is delivered meanwhile is finished as always. Must
not: stop anything itself.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_LOOKS, _LOOK_SECONDS = 100, 0.03
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """`begun`: the process will end soon. `at_work`: how many steps it works on."""

    def __init__(self) -> None:
        self.begun = False
        self.at_work = 0

    async def work_is_given_back(self) -> None:
        """Wait for what the server has broken off to be given back; for what it has not, not for long."""
        for _ in range(_LOOKS):
            if not self.at_work:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Notice signals for the time of the block, before whoever serves the app does what it does about them.

        A server that hears of signals in another way than by a handler in the main thread stops as it did.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        noticing = {number: self._before(handler) for number, handler in before.items() if callable(handler)}
        for number, handler in noticing.items():
            signal.signal(number, handler)
        try:
            yield
        finally:
            for number, handler in noticing.items():
                if signal.getsignal(number) is handler:
                    signal.signal(number, before[number])

    def _before(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(number: int, frame: Any) -> None:
            self.begun = True
            handler(number, frame)

        return noticed
