"""Writes the changes of transitions into SQLite, many transitions to a commit.

Invariant: the changes of one transition are committed together, in order with all others. `write` and `commit` are
separate, because writing rows is quick and waiting for the disk (in a thread) is not. Never reads for the API.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from baton_local.qstash.core.message import AttemptResult, Event
from baton_local.qstash.core.state import (
    Change,
    DedupStored,
    DlqDropped,
    DlqStored,
    MessageFinished,
    MessageStored,
    ProgressStored,
    ThingDropped,
    ThingStored,
    UserForgotten,
)
from baton_local.qstash.storage import codec, log_index
from baton_local.qstash.storage.log_index import LogTimes

_MESSAGE = "INSERT INTO messages VALUES(?,?,?,?,?)"
_NEW_PROGRESS = "INSERT INTO progress VALUES(?,0,?,0,NULL,0)"
_PROGRESS = "UPDATE progress SET retried=?, due_ms=?, cancel_requested=? WHERE seq=?"
_FINISHED = "UPDATE progress SET finished_ms=?, size_bytes=? WHERE seq=?"
_EVENT = "INSERT INTO events VALUES(NULL,?,?,?,?,?,?,?,?)"
_DLQ = "INSERT INTO dlq VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"
_DLQ_DROP = "DELETE FROM dlq WHERE seq=?"
_DEDUP = "INSERT OR REPLACE INTO dedup VALUES(?,?,?,?)"
_THING = "INSERT OR REPLACE INTO things VALUES(?,?,?,?)"
_THING_DROP = "DELETE FROM things WHERE kind=? AND user=? AND key=?"

# What a finished message costs on disk besides bodies: its row, its events, their indexes (measured, rounded up).
_OVERHEAD_BYTES = 2_000

_FINISHED_BYTES_OF = (
    "SELECT coalesce(sum(size_bytes), 0) FROM progress WHERE seq IN (SELECT seq FROM messages WHERE user=?)"
)
_FORGETTING = (
    "DELETE FROM events WHERE seq IN (SELECT seq FROM messages WHERE user=?)",
    "DELETE FROM progress WHERE seq IN (SELECT seq FROM messages WHERE user=?)",
    "DELETE FROM traits WHERE seq IN (SELECT seq FROM messages WHERE user=?)",
    "DELETE FROM messages WHERE user=?",
    "DELETE FROM dlq WHERE user=?",
    "DELETE FROM dedup WHERE user=?",
    "DELETE FROM things WHERE user=?",
)

_Statement = tuple[str, tuple[Any, ...]]
_Rows = dict[str, list[tuple[Any, ...]]]
_Things = dict[tuple[str, str, str], ThingStored | ThingDropped]


class Store:
    """The writing side of the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._times = LogTimes(connection)
        (self.finished_bytes,) = connection.execute(
            "SELECT coalesce(sum(size_bytes), 0) FROM progress WHERE finished_ms IS NOT NULL"
        ).fetchone()

    def write(self, batch: Iterable[Change]) -> None:
        """Put changes into the open transaction (opened if there is none)."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        rows: _Rows = defaultdict(list)
        things: _Things = {}
        for change in batch:
            to_rows = _STATEMENTS.get(type(change))
            if to_rows is not None:
                for statement, values in to_rows(change):
                    rows[statement].append(values)
            elif isinstance(change, UserForgotten):
                self._put(rows, things)
                rows, things = defaultdict(list), {}
                self._forget(change.user)
            elif isinstance(change, ThingStored | ThingDropped):
                things[change.kind, change.user, change.key] = change  # the last word on a thing is enough
        self._put(rows, things)

    def commit(self) -> None:
        """Make everything written so far durable; blocks until it is."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Commit and close; the write-ahead log is folded into the file."""
        try:
            self.commit()
        finally:
            self._connection.close()

    def _put(self, rows: _Rows, things: _Things) -> None:
        for statement in _ORDER:
            if statement in rows:
                self._connection.executemany(statement, rows[statement])
        self.finished_bytes += sum(size for _, size, _ in rows.get(_FINISHED, ()))
        self._times.written(time_ms for _, time_ms, *_ in rows.get(_EVENT, ()))
        for change in things.values():
            self._write_thing(change)

    def _forget(self, user: str) -> None:
        (finished_bytes,) = self._connection.execute(_FINISHED_BYTES_OF, (user,)).fetchone()
        self.finished_bytes -= finished_bytes
        for statement in _FORGETTING:
            self._connection.execute(statement, (user,))

    def _write_thing(self, change: ThingStored | ThingDropped) -> None:
        place = (change.kind, change.user, change.key)
        if isinstance(change, ThingStored):
            self._connection.execute(_THING, (*place, codec.encode_thing(change.kind, change.value)))
        else:
            self._connection.execute(_THING_DROP, place)


def size_bytes(change: MessageFinished) -> int:
    return len(change.message.body or b"") + change.response_bytes + _OVERHEAD_BYTES


def _message(change: MessageStored) -> Sequence[_Statement]:
    message = change.message
    return (
        (_MESSAGE, (message.seq, message.id, message.user, codec.encode_message(message), message.body)),
        (_NEW_PROGRESS, (message.seq, change.due_ms)),
        *((log_index.TRAIT, row) for row in log_index.rows_of(message)),
    )


def _progress(change: ProgressStored) -> Sequence[_Statement]:
    return ((_PROGRESS, (change.retried, change.due_ms, change.cancel_requested, change.message.seq)),)


def _finished(change: MessageFinished) -> Sequence[_Statement]:
    return ((_FINISHED, (change.finished_at_ms, size_bytes(change), change.message.seq)),)


def _event(event: Event) -> Sequence[_Statement]:
    base = (event.message.seq, event.time_ms, event.state.value, event.next_delivery_ms)
    return ((_EVENT, base + ((None,) * 4 if event.result is None else _result(event.result))),)


def _dlq(change: DlqStored) -> Sequence[_Statement]:
    entry, message = change.entry, change.entry.message
    content = codec.encode_message(message)
    status, headers, response, error = _result(entry.result)
    own = (entry.seq, entry.id, entry.failed_at_ms, status, headers, response, error)
    return ((_DLQ, (*own, message.seq, message.id, message.user, content, message.body)),)


def _dlq_drop(change: DlqDropped) -> Sequence[_Statement]:
    return ((_DLQ_DROP, (change.entry.seq,)),)


def _dedup(change: DedupStored) -> Sequence[_Statement]:
    return ((_DEDUP, (change.user, change.key, change.message_id, change.expires_ms)),)


def _result(result: AttemptResult) -> tuple[int, str, bytes, str | None]:
    return result.status, json.dumps(result.headers), result.body, result.error


_STATEMENTS: dict[type, Callable[[Any], Sequence[_Statement]]] = {
    MessageStored: _message,
    ProgressStored: _progress,
    MessageFinished: _finished,
    Event: _event,
    DlqStored: _dlq,
    DlqDropped: _dlq_drop,
    DedupStored: _dedup,
}
# Per table the order of arrival is kept; a row is inserted before it is updated or deleted.
_ORDER = (_MESSAGE, _NEW_PROGRESS, log_index.TRAIT, _PROGRESS, _FINISHED, _EVENT, _DLQ, _DLQ_DROP, _DEDUP)
