"""Steps of which a process has died before: in a process one of them is worked on at a time.

Whichever of the steps in a dead process was to blame, only that one dies with the next: the others wait for their turn,
unclaimed. So a death counts once for each step that only happened to be there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from baton.core.work_items import WORK_KINDS, WorkItem

SPREAD_MS = 10_000


class Suspects:
    """Those of one process."""

    def __init__(self) -> None:
        self._at_work = False
        self._in_line = 0

    @contextmanager
    def turn_of(self, item: WorkItem) -> Iterator[int]:
        """For the time of the block work on a step, where that says 0; else it comes again so many ms later.

        Those that wait come one after the other.
        """
        if not item.deaths or item.kind not in WORK_KINDS:
            yield 0
            return
        if self._at_work:
            self._in_line += 1
            yield SPREAD_MS * self._in_line
            return
        self._at_work, self._in_line = True, 0
        try:
            yield 0
        finally:
            self._at_work = False
