"""Reads what the state machine does not keep: finished messages, and events of all messages.

SQLite decides the larger part of a selection; it may let more through than is wanted, never less. Invariant: sees only
what is committed; never writes.
"""

import json
import sqlite3
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, NamedTuple

from baton_local.qstash.core.message import AttemptResult, Event, EventState, Message
from baton_local.qstash.core.selection import Selection
from baton_local.qstash.storage import codec, log_index
from baton_local.qstash.storage.log_index import Numbers

# Filters that SQLite decides.
_COLUMNS = (("messageId", "m.id"), ("state", "e.state"), ("responseStatus", "cast(e.status AS TEXT)"))
# Filters whose value stands in the stored JSON as it is: SQLite can skip most rows before they are decoded.
_IN_CONTENT = ("topicName", "queueName", "scheduleId", "label", "flowControlKey", "callerIp", "url", "host", "path")
_NOBODY_HAS = ("api", "source")
# Every message has events of these states; the others have an index of their own (database.py, in these very words).
_COMMON = (EventState.CREATED, EventState.ACTIVE, EventState.DELIVERED)
_TROUBLE = f"e.state NOT IN ({','.join(repr(state.value) for state in _COMMON)})"


class Condition(NamedTuple):
    """A condition in SQL about an event `e` and its message `m`; `trouble`: no event of a common state meets it."""

    where: str
    values: list[Any]
    trouble: bool


def condition_of(user: str, selection: Selection) -> Condition:
    """Return the condition of events that may be selected."""
    parts = ["m.user=?"]
    values: list[Any] = [user]
    for bound, comparison in ((selection.from_ms, "e.time_ms>=?"), (selection.to_ms, "e.time_ms<=?")):
        if bound is not None:
            parts.append(comparison)
            values.append(bound)
    for name, column in _COLUMNS:
        wanted = sorted(selection.values.get(name, ()))
        if wanted:
            parts.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values.extend(wanted)
    parts += ["0" for name in _NOBODY_HAS if name in selection.values]
    for name in _IN_CONTENT:
        wanted = sorted(selection.values.get(name, ()))
        if wanted:
            # A host is the same in capitals.
            found = "instr(lower(m.content),lower(?))" if name == "host" else "instr(m.content,?)"
            parts.append(f"({' OR '.join([found] * len(wanted))})")
            values.extend(json.dumps(text)[1:-1] for text in wanted)
    trouble = _is_trouble(selection)
    return Condition(" AND ".join([*parts, *[_TROUBLE] * trouble]), values, trouble)


def _is_trouble(selection: Selection) -> bool:
    """Return whether only events are wanted that an ordinary delivery does not have."""
    states = selection.values.get("state", frozenset())
    statuses = selection.values.get("responseStatus", frozenset())
    succeeded = any(status.isdecimal() and AttemptResult(int(status)).succeeded for status in statuses)
    return bool(states and states.isdisjoint(_COMMON)) or bool(statuses and not succeeded)


_EVENTS = (
    "SELECT e.n, e.time_ms, e.state, e.next_delivery_ms, e.status, e.headers, e.body, e.error,"
    " m.seq, m.id, m.user, m.content, m.body"
    " FROM events e {index} CROSS JOIN messages m ON m.seq = e.seq WHERE {among} AND {where} ORDER BY e.n DESC"
)
_NUMBERS = "SELECT n FROM events INDEXED BY events_of_message WHERE n>=? AND n<? AND seq IN"
PIECE_EVENTS = 10_000  # are looked at before others may go on; SQLite needs some milliseconds for them

_Row = tuple[Any, ...]


class Piece(NamedTuple):
    """Events by their numbers, newest first, and before which number to go on; None: that was all."""

    events: list[tuple[int, Event]]
    before: int | None


class Archive:
    """The reading side of the database; safe to call from several threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._one_at_a_time = threading.Lock()

    def message(self, user: str, message_id: str) -> Message | None:
        """Return a message that was accepted and not yet pruned, finished or not."""
        with self._one_at_a_time:
            row = self._connection.execute(
                "SELECT seq, id, user, content, body FROM messages WHERE id=? AND user=?", (message_id, user)
            ).fetchone()
        return None if row is None else codec.decode_message(*row)

    def piece(self, user: str, selection: Selection, before: int | None, wanted: int) -> Piece:
        """Return what the selection takes of the events before this one, newest first, `wanted` at most."""
        with self._one_at_a_time, self._snapshot():
            log = log_index.part_of(self._connection, selection)
            log = range(log.start, log.stop if before is None else min(log.stop, before))
            few = log_index.few_messages(self._connection, selection)
            part = log[-PIECE_EVENTS:] if few is None else log
            # Closed at once: a read left open would keep the write-ahead log from being folded into the file.
            with closing(self._selected(user, selection, part, few)) as found:
                events = list(islice(found, wanted))
        return Piece(events, part.start if part.start > log.start else None)

    def close(self) -> None:
        """Close the connection, when the piece that is being read is read."""
        with self._one_at_a_time:
            self._connection.close()

    @contextmanager
    def _snapshot(self) -> Generator[None]:
        """Make all reads in the block see one moment."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def _selected(
        self, user: str, selection: Selection, part: range, few: Numbers | None
    ) -> Generator[tuple[int, Event]]:
        condition = condition_of(user, selection)
        rows = self._scan(part, condition) if few is None else self._look_up(part, condition, few)
        for n, time_ms, state, next_ms, status, headers, body, error, *message in rows:
            result = None if status is None else AttemptResult(status, json.loads(headers), body, error)
            event = Event(codec.decode_message(*message), time_ms, EventState(state), next_ms, result)
            if selection.takes(event.message, time_ms) and selection.takes_value("responseStatus", str(status)):
                yield n, event

    def _scan(self, part: range, condition: Condition) -> Iterator[_Row]:
        """Look at all events of a part of the log, or at those in trouble."""
        index = "INDEXED BY events_of_trouble" if condition.trouble else "NOT INDEXED"
        query = _EVENTS.format(index=index, among="e.n>=? AND e.n<?", where=condition.where)
        return self._connection.execute(query, (part.start, part.stop, *condition.values))

    def _look_up(self, part: range, condition: Condition, few: Numbers) -> Iterator[_Row]:
        """Look at the events of some messages alone."""
        query, values = few
        numbers = self._connection.execute(f"{_NUMBERS} ({query}) ORDER BY n DESC", (part.start, part.stop, *values))
        of_one = _EVENTS.format(index="NOT INDEXED", among="e.n=?", where=condition.where)
        for number in numbers:
            yield from self._connection.execute(of_one, (*number, *condition.values))
