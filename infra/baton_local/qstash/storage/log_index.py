"""The index of the log: its times, whose events are in order of their numbers, and hashes of values searched for.

A search by time finds its part by halving, a search by value the messages that have it. Invariants: the clock never
went back by more than is noted, so outside of the part is nothing that was asked for. A message in the database has all
its traits there; another message may share a hash, so a reader checks.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from zlib import crc32

from baton_local.qstash.core.message import Message
from baton_local.qstash.core.selection import Selection, values_of

# Each by itself: of both at once SQLite reads the whole table.
_ENDS = "SELECT (SELECT min(n) FROM events), (SELECT max(n) FROM events)"
_BACK = "SELECT value FROM meta WHERE key='clockBackMs'"
_NOTE = "INSERT OR REPLACE INTO meta VALUES('clockBackMs', ?)"


class LogTimes:
    """The writer's part: notes how far the clock went back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._back_ms = _noted(connection)
        last = connection.execute("SELECT time_ms FROM events ORDER BY n DESC LIMIT 1").fetchone()
        self._latest_ms = last[0] + self._back_ms if last else 0  # or earlier

    def written(self, times_ms: Iterable[int]) -> None:
        """Note that events of these times are added to the log, in this order."""
        back_ms = self._back_ms
        for time_ms in times_ms:
            self._latest_ms = max(self._latest_ms, time_ms)
            back_ms = max(back_ms, self._latest_ms - time_ms)
        if back_ms > self._back_ms:
            self._back_ms = back_ms
            self._connection.execute(_NOTE, (str(back_ms),))


def part_of(connection: sqlite3.Connection, selection: Selection) -> range:
    """Return the numbers of the log's events, without most that are too early or too late for a selection."""
    oldest, newest = connection.execute(_ENDS).fetchone()
    log = range(oldest or 0, (newest or -1) + 1)
    back_ms = _noted(connection)

    def time_ms(n: int) -> int:
        """Return the time of that event, or of the next if it is forgotten."""
        found: int = connection.execute("SELECT time_ms FROM events WHERE n>=? ORDER BY n LIMIT 1", (n,)).fetchone()[0]
        return found

    start = 0 if selection.from_ms is None else bisect_left(log, selection.from_ms - back_ms, key=time_ms)
    stop = len(log) if selection.to_ms is None else bisect_right(log, selection.to_ms + back_ms, key=time_ms)
    return log[start:stop]


def _noted(connection: sqlite3.Connection) -> int:
    found = connection.execute(_BACK).fetchone()
    return int(found[0]) if found else 0


# Those that tell few messages from many. Host, path and caller are mostly the same: they have no traits.
INDEXED = ("url", "topicName", "queueName", "scheduleId", "label", "flowControlKey")
TRAIT = "INSERT OR IGNORE INTO traits VALUES(?,?)"
# A filter that more messages pass has no need of the index: the newest events show some of them soon.
FEW = 1_000

_Rows = list[tuple[int, int]]
Numbers = tuple[str, list[int] | list[str]]


def rows_of(message: Message) -> _Rows:
    return [
        (message.seq, _trait(name, value))
        for name in INDEXED
        for value in values_of(message, name)
        if value is not None
    ]


def few_messages(connection: sqlite3.Connection, selection: Selection) -> Numbers | None:
    """Return a query for the numbers of all messages that may be selected, if they are known to be few."""
    if ids := sorted(selection.values.get("messageId", ())):
        return f"SELECT seq FROM messages WHERE id IN ({','.join('?' * len(ids))})", ids  # noqa: S608 - only marks
    for name in INDEXED:
        if wanted := selection.values.get(name):
            traits = sorted({_trait(name, value) for value in wanted})
            query = f"SELECT seq FROM traits WHERE trait IN ({','.join('?' * len(traits))})"  # noqa: S608 - only marks
            counted = f"SELECT count(*) FROM ({query} LIMIT {FEW + 1})"  # noqa: S608 - the same
            if connection.execute(counted, traits).fetchone()[0] <= FEW:
                return query, traits
    return None


def _trait(name: str, value: str) -> int:
    return crc32(f"{name} {value}".encode(errors="surrogatepass"))
