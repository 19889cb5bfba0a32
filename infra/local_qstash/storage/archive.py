"""Reads what the state machine does not keep: finished messages, and events of all messages.

Invariant: sees only what is committed; never writes.
"""

import json
import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing
from typing import Any

from infra.local_qstash.core.attempt import AttemptResult
from infra.local_qstash.core.events_log import Event, EventState
from infra.local_qstash.core.message import Message
from infra.local_qstash.core.selection import Selection
from infra.local_qstash.storage import message_codec

_EVENTS = (
    "SELECT e.n, e.time_ms, e.state, e.next_delivery_ms, e.status, e.headers, e.body, e.error,"
    " m.seq, m.id, m.user, m.content, m.body FROM events e JOIN messages m ON m.seq = e.seq"
)
# Filters whose value stands in the stored JSON as it is: SQLite can skip most rows before they are decoded.
_IN_CONTENT = ("topicName", "queueName", "scheduleId", "label", "flowControlKey", "callerIp", "url")


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

    def events(self, user: str, selection: Selection, default_count: int) -> tuple[list[Event], str | None]:
        """One page of events, newest first, with the cursor of the next page if there is one."""
        limit = selection.limit(default_count)
        page: list[tuple[int, Event]] = []
        # Closed at once: a read left open would keep the write-ahead log from being folded into the file.
        with self._one_at_a_time, closing(self._scan(user, selection)) as found:
            for n, event in found:
                page.append((n, event))
                if len(page) > limit:
                    break
        events = [event for _, event in page[:limit]]
        return events, str(page[limit - 1][0]) if len(page) > limit else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _scan(self, user: str, selection: Selection) -> Generator[tuple[int, Event]]:
        where, values = _condition(user, selection)
        rows = self._connection.execute(f"{_EVENTS} WHERE {where} ORDER BY e.n DESC", values)
        for n, time_ms, state, next_ms, status, headers, body, error, *message in rows:
            result = None if status is None else AttemptResult(status, json.loads(headers), body, error)
            event = Event(message_codec.decode(*message), time_ms, EventState(state), next_ms, result)
            if selection.takes(event.message, time_ms) and selection.takes_value("responseStatus", str(status)):
                yield n, event


def _condition(user: str, selection: Selection) -> tuple[str, list[Any]]:
    parts, values = ["m.user=?"], [user]
    if selection.cursor is not None:
        parts.append("e.n<?")
        values.append(str(selection.cursor))
    if selection.from_ms is not None:
        parts.append("e.time_ms>=?")
        values.append(str(selection.from_ms))
    for name, column in (("messageId", "m.id"), ("state", "e.state")):
        wanted = sorted(selection.values.get(name, ()))
        if wanted:
            parts.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values.extend(wanted)
    for name in _IN_CONTENT:
        wanted = sorted(selection.values.get(name, ()))
        if wanted:
            parts.append(f"({' OR '.join(['instr(m.content,?)'] * len(wanted))})")
            values.extend(json.dumps(text) for text in wanted)
    return " AND ".join(parts), values
