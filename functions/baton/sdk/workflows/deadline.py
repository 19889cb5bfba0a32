"""The end of a stretch that never waits: its thread is interrupted where it is.

One thread of the process looks after all stretches, while there are any. Invariant: nothing outside of a stretch is
interrupted: what was raised late is taken back. Must not: end a thread that is in no Python code; its caller stops
waiting for it.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from baton.sdk.workflows.code_run import CodeRun, NeverWaitsError
from baton.sdk.workflows.places import Place, place_of_thread

_T = TypeVar("_T")
_LOOK_SECONDS = 0.1
_MOST_CHECKS = 1_000
_interrupt = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Running:
    """A stretch at work in this thread. `place`: where it was when its time was over, if it `is_late`."""

    def __init__(self, run: CodeRun, seconds: float) -> None:
        self.run, self.ident, self.seconds = run, threading.get_ident(), seconds
        self.until = time.monotonic() + seconds
        self.place: Place | None = None
        self.is_late = False

    def look(self) -> None:
        """Interrupt it, if its time is over."""
        if time.monotonic() < self.until:
            return
        self.is_late, self.place = True, self.place or place_of_thread(self.ident)
        self.run.loop.stopped = True
        _interrupt(ctypes.c_ulong(self.ident), ctypes.py_object(NeverWaitsError))


class _Watch:
    """The stretches that run in this process."""

    def __init__(self) -> None:
        self._lock, self._running, self._looks = threading.Lock(), set[Running](), False

    def begin(self, running: Running) -> None:
        """Look after a stretch."""
        with self._lock:
            self._running.add(running)
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._look, name="baton-watch", daemon=True).start()

    def end(self, running: Running) -> None:
        """Leave it alone, and take what is still to interrupt it here.

        To take it back would leave the interpreter looking for it from then on.
        """
        while True:
            try:
                with self._lock:
                    self._running.discard(running)
                for _ in range(_MOST_CHECKS if running.is_late else 0):
                    pass  # the interpreter looks at each turn of a loop
            except NeverWaitsError:
                continue
            return

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                if not self._running:
                    self._looks = False
                    return
                for running in self._running:
                    running.look()


_WATCH = _Watch()


def within(seconds: float, run: CodeRun, work: Callable[[], _T]) -> _T:
    """Do a run's work in this thread, for so long at most; without a limit for ever.

    Raises NeverWaitsError: it does not come to an end. `place` is where it was.
    """
    if not seconds:
        return work()
    running = Running(run, seconds)
    try:
        try:
            _WATCH.begin(running)
            return work()
        finally:
            _WATCH.end(running)
    except NeverWaitsError as error:
        _WATCH.end(running)  # it may have been interrupted on its way there
        error.place = running.place
        raise
