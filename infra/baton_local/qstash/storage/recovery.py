"""Loads the state of an earlier run: unfinished messages, dead letters, windows, small things.

Only reads. What was in flight when the process died is due again with the same attempt number (qstash.md 7).
"""

import json
import sqlite3
from collections.abc import Iterator

from baton_local.qstash.core.attempt import AttemptResult
from baton_local.qstash.core.dlq import DlqEntry
from baton_local.qstash.core.message import Live
from baton_local.qstash.core.tenant import SigningKeys, Tenant
from baton_local.qstash.storage import message_codec, thing_codec


def load_tenant(connection: sqlite3.Connection, tenant: Tenant, now_ms: int) -> None:
    """Fill a tenant with everything but its unfinished messages."""
    things = connection.execute("SELECT kind, key, value FROM things WHERE user=?", (tenant.user,))
    for kind, key, value in things:
        _load_thing(tenant, kind, key, value)
    windows = connection.execute(
        "SELECT key, message_id, expires_ms FROM dedup WHERE user=? AND expires_ms>? ORDER BY expires_ms",
        (tenant.user, now_ms),
    )
    for key, message_id, expires_ms in windows:
        tenant.dedup.remember(key, message_id, expires_ms)
    for entry in _dead_letters(connection, tenant.user):
        tenant.dlq[entry.id] = entry


def _load_thing(tenant: Tenant, kind: str, key: str, value: str) -> None:
    if kind == "topic":
        tenant.topics[key] = thing_codec.decode_topic(value)
    elif kind == "queue":
        tenant.queues[key] = thing_codec.decode_queue(value)
    elif kind == "flow":
        tenant.flows[key] = thing_codec.decode_flow(value)
    elif kind == "schedule":
        tenant.schedules[key] = thing_codec.decode_schedule(value)
    elif kind == "counters":
        tenant.counters = thing_codec.decode_counters(value)


def stored_keys(connection: sqlite3.Connection, user: str) -> SigningKeys | None:
    """The signing keys of a user after rotation; None if they were never rotated."""
    row = connection.execute("SELECT value FROM things WHERE kind='keys' AND user=?", (user,)).fetchone()
    return None if row is None else thing_codec.decode_keys(row[0])


def _dead_letters(connection: sqlite3.Connection, user: str) -> Iterator[DlqEntry]:
    rows = connection.execute("SELECT * FROM dlq WHERE user=? ORDER BY seq", (user,))
    for seq, entry_id, failed_at_ms, status, headers, response, error, *message in rows:
        result = AttemptResult(status, json.loads(headers), response, error)
        yield DlqEntry(seq, entry_id, message_codec.decode(*message), failed_at_ms, result)


def unfinished(connection: sqlite3.Connection) -> Iterator[Live]:
    """All unfinished messages, in order of acceptance."""
    rows = connection.execute(
        "SELECT m.seq, m.id, m.user, m.content, m.body, p.retried, p.due_ms, p.cancel_requested"
        " FROM progress p CROSS JOIN messages m ON m.seq = p.seq WHERE p.finished_ms IS NULL ORDER BY p.seq"
    )
    for seq, message_id, user, content, body, retried, due_ms, cancel_requested in rows:
        message = message_codec.decode(seq, message_id, user, content, body)
        yield Live(message, due_ms, retried, cancel_requested=bool(cancel_requested))


def last_seq(connection: sqlite3.Connection) -> int:
    """The highest number given so far to a message or a dead letter."""
    rows = connection.execute("SELECT max(seq) FROM messages UNION ALL SELECT max(seq) FROM dlq")
    return max((seq or 0 for (seq,) in rows), default=0)
