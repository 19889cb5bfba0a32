"""Reads what the state machine does not keep: finished messages, and events of all messages.

Invariant: sees only what is committed; never writes.
"""

import json
import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from infra.local_qstash.core.attempt import AttemptResult
from infra.local_qstash.core.events_log import Event, EventState
from infra.local_qstash.core.message import Message
from infra.local_qstash.core.selection import Selection
from infra.local_qstash.storage import message_codec

_EVENTS = (
    "SELECT e.n, e.time_ms, e.state, e.next_delivery_ms, e.status, e.headers, e.body, e.error,"
    " m.seq, m.id, m.user, m.content, m.body FROM events e JOIN messages m ON m.seq = e.seq"
)
# Filters that SQLite decides.
_COLUMNS = (("messageId", "m.id"), ("state", "e.state"), ("responseStatus", "cast(e.status AS TEXT)"))
# Filters whose value stands in the stored JSON as it is: SQLite can skip most rows before they are decoded.
_IN_CONTENT = ("topicName", "queueName", "scheduleId", "label", "flowControlKey", "callerIp", "url", "host", "path")
_NOBODY_HAS = ("api", "source")
PIECE_EVENTS = 10_000  # are looked at before others may go on; SQLite needs some milliseconds for them


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
        """A message that was accepted and not yet pruned, finished or not."""
        with self._one_at_a_time:
            row = self._connection.execute(
                "SELECT seq, id, user, content, body FROM messages WHERE id=? AND user=?", (message_id, user)
            ).fetchone()
        return None if row is None else message_codec.decode(*row)

    def piece(self, user: str, selection: Selection, before: int | None, wanted: int) -> Piece:
        """What the selection takes of the next events before this one, newest first, `wanted` at most."""
        with self._one_at_a_time:
            oldest, newest = self._connection.execute("SELECT min(n), max(n) FROM events").fetchone()
            end = min((newest or 0) + 1, (newest or 0) + 1 if before is None else before)
            # The events of a message have an index, so that no other is looked at.
            start = oldest or 0 if "messageId" in selection.values else max(oldest or 0, end - PIECE_EVENTS)
            # Closed at once: a read left open would keep the write-ahead log from being folded into the file.
            with closing(self._scan(user, selection, range(start, end))) as found:
                events = list(islice(found, wanted))
        return Piece(events, start if start > (oldest or 0) else None)

    def close(self) -> None:
        """Close the connection, when the piece that is being read is read."""
        with self._one_at_a_time:
            self._connection.close()

    def _scan(self, user: str, selection: Selection, among: range) -> Generator[tuple[int, Event]]:
        where, values = _condition(user, selection)
        rows = self._connection.execute(
            f"{_EVENTS} WHERE e.n>=? AND e.n<? AND {where} ORDER BY e.n DESC", [among.start, among.stop, *values]
        )
        for n, time_ms, state, next_ms, status, headers, body, error, *message in rows:
            result = None if status is None else AttemptResult(status, json.loads(headers), body, error)
            event = Event(message_codec.decode(*message), time_ms, EventState(state), next_ms, result)
            if selection.takes(event.message, time_ms) and selection.takes_value("responseStatus", str(status)):
                yield n, event


def _condition(user: str, selection: Selection) -> tuple[str, list[Any]]:
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
    return " AND ".join(parts), values
