"""Schedules that are played while other tests run: those mostly wait for processes of theirs.

One after the other, both would take longer than a run of all tests may. Invariant: it gives way to whatever else runs
(`nice`), and ends with the tests, also where they end early.
"""

import time
from collections.abc import Callable
from threading import Event, Thread

from tests.simulation.play import Summary

# So low that a test which waits for a server does not notice.
GIVING_WAY = 15


class Ahead:
    """Plays in the background from its start on."""

    def __init__(self, play: Callable[[Callable[[], bool]], Summary]) -> None:
        self._stopped, self._played = Event(), list[tuple[Summary, float]]()
        self._thread = Thread(target=self._run, args=(play,), name="schedules", daemon=True)
        self._thread.start()

    def result(self) -> tuple[Summary, float]:
        """What came out, and after how many seconds; waits for it.

        Raises:
            RuntimeError: it was stopped, or failed: its thread says why.
        """
        self._thread.join()
        if not self._played:
            raise RuntimeError("the schedules that were to be played ahead were not")
        return self._played[0]

    def stop(self) -> None:
        """No more of them; returns when its processes have ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self, play: Callable[[Callable[[], bool]], Summary]) -> None:
        began_at = time.monotonic()
        summary = play(self._stopped.is_set)
        self._played.append((summary, time.monotonic() - began_at))
