"""What takes long and needs both cores, done while other tests run: those mostly wait for processes of theirs.

One after the other, both would take longer than a run of all tests may. Invariant: it gives way to whatever else runs
(`nice`), and ends with the tests, also where they end early.
"""

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Generic, TypeVar

_T_co = TypeVar("_T_co", covariant=True)
Stopped = Callable[[], bool]
# So low that a test which waits for a server does not notice.
GIVING_WAY = 15


class Ahead(Generic[_T_co]):
    """Works in the background from its start on, or from when another one is over."""

    def __init__(self, work: Callable[[Stopped], _T_co], after: "Ahead[object] | None" = None) -> None:
        self._stopped, self._done = Event(), list[tuple[_T_co, float]]()
        self._thread = Thread(target=self._run, args=(work, after), name="ahead", daemon=True)
        self._thread.start()

    def result(self) -> tuple[_T_co, float]:
        """What came out, and after how many seconds; waits for it.

        Raises:
            RuntimeError: it was stopped, or failed: its thread says why.
        """
        self._thread.join()
        if not self._done:
            raise RuntimeError("what was to be done ahead was not")
        return self._done[0]

    def stop(self) -> None:
        """No more is begun."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until it is over, with its processes."""
        self._thread.join()

    def _run(self, work: Callable[[Stopped], _T_co], after: "Ahead[object] | None") -> None:
        if after is not None:
            after.join()
        began_at = time.monotonic()
        result = work(self._stopped.is_set)
        self._done.append((result, time.monotonic() - began_at))
