"""The times of the log, whose events are in the order of their numbers: a search by time finds its part by halving.

Invariant: the clock never went back by more than is noted, so outside of the part is nothing that was asked for.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from baton_local.qstash.core.selection import Selection

# Each by itself: of both at once SQLite reads the whole table.
_ENDS = "SELECT (SELECT min(n) FROM events), (SELECT max(n) FROM events)"
_BACK = "SELECT value FROM meta WHERE key='clockBackMs'"
_NOTE = "INSERT OR REPLACE INTO meta VALUES('clockBackMs', ?)"
_MEASURED = (
    "SELECT coalesce(max(latest - time_ms), 0)"
    " FROM (SELECT time_ms, max(time_ms) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS latest FROM events)"
)


class LogTimes:
    """The writer's part: notes how far the clock went back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._back_ms = _noted(connection)
        last = connection.execute("SELECT time_ms FROM events ORDER BY n DESC LIMIT 1").fetchone()
        self._latest_ms = last[0] + self._back_ms if last else 0  # or earlier

    def written(self, times_ms: Iterable[int]) -> None:
        """Events of these times are added to the log, in this order."""
        back_ms = self._back_ms
        for time_ms in times_ms:
            self._latest_ms = max(self._latest_ms, time_ms)
            back_ms = max(back_ms, self._latest_ms - time_ms)
        if back_ms > self._back_ms:
            self._back_ms = back_ms
            self._connection.execute(_NOTE, (str(back_ms),))


def measure(connection: sqlite3.Connection) -> None:
    """Note how far the clock has gone back in a log that was written without that."""
    connection.execute(_NOTE, (str(connection.execute(_MEASURED).fetchone()[0]),))


def part_of(connection: sqlite3.Connection, selection: Selection) -> range:
    """The numbers of the log's events, without most of those that are too early or too late for a selection."""
    oldest, newest = connection.execute(_ENDS).fetchone()
    log = range(oldest or 0, (newest or -1) + 1)
    back_ms = _noted(connection)

    def time_ms(n: int) -> int:
        """When that happened, or what came next, if it is forgotten."""
        found: int = connection.execute("SELECT time_ms FROM events WHERE n>=? ORDER BY n LIMIT 1", (n,)).fetchone()[0]
        return found

    start = 0 if selection.from_ms is None else bisect_left(log, selection.from_ms - back_ms, key=time_ms)
    stop = len(log) if selection.to_ms is None else bisect_right(log, selection.to_ms + back_ms, key=time_ms)
    return log[start:stop]


def _noted(connection: sqlite3.Connection) -> int:
    found = connection.execute(_BACK).fetchone()
    return int(found[0]) if found else 0
