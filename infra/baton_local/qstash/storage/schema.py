"""The tables of the one SQLite file, how it is opened, and the state of an earlier run that is read from it.

Unfinished messages, dead letters, windows and small things are loaded; what was in flight when the process died is due
again with the same attempt number (qstash.md 7). Invariant: a commit that returned survives SIGKILL; with `synced` (the
default) also a power cut.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from baton_local.qstash.core.message import AttemptResult, DlqEntry, Live
from baton_local.qstash.core.tenant import SigningKeys, Tenant
from baton_local.qstash.storage import codec

VERSION = 2
# Rows are written at the end of their tables, and read soon or never: a larger cache only grows with what was sent.
_CACHE_KIB = 4_000

_TABLES = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages(
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, content TEXT NOT NULL, body BLOB);
CREATE TABLE IF NOT EXISTS progress(
    seq INTEGER PRIMARY KEY, retried INTEGER NOT NULL, due_ms INTEGER NOT NULL, cancel_requested INTEGER NOT NULL,
    finished_ms INTEGER, size_bytes INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS finished ON progress(finished_ms) WHERE finished_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS events(
    n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, time_ms INTEGER NOT NULL, state TEXT NOT NULL,
    next_delivery_ms INTEGER, status INTEGER, headers TEXT, body BLOB, error TEXT);
CREATE INDEX IF NOT EXISTS events_of_message ON events(seq);
CREATE INDEX IF NOT EXISTS events_of_trouble ON events(state) WHERE state NOT IN ('CREATED','ACTIVE','DELIVERED');
CREATE TABLE IF NOT EXISTS traits(seq INTEGER, trait INTEGER, PRIMARY KEY(seq, trait)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_of_trait ON traits(trait);
CREATE TABLE IF NOT EXISTS dlq(
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, failed_at_ms INTEGER NOT NULL,
    status INTEGER NOT NULL, headers TEXT NOT NULL, response BLOB NOT NULL, error TEXT,
    message_seq INTEGER NOT NULL, message_id TEXT NOT NULL, user TEXT NOT NULL, content TEXT NOT NULL, body BLOB);
CREATE TABLE IF NOT EXISTS dedup(
    user TEXT, key TEXT, message_id TEXT NOT NULL, expires_ms INTEGER NOT NULL, PRIMARY KEY(user, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dedup_expiry ON dedup(expires_ms);
CREATE TABLE IF NOT EXISTS things(
    kind TEXT, user TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY(kind, user, key)) WITHOUT ROWID;
"""


def open_database(path: Path, *, synced: bool) -> sqlite3.Connection:
    """Open a connection that may be handed between threads (one at a time), with the tables in place."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.executescript(_TABLES)
    _check_version(connection, path)
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("INSERT OR IGNORE INTO meta VALUES('version', ?)", (str(VERSION),))
    (found,) = connection.execute("SELECT value FROM meta WHERE key='version'").fetchone()
    if found != str(VERSION):
        connection.close()
        raise RuntimeError(f"{path} has format {found}, this version reads {VERSION}; choose another data folder")


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
        tenant.topics[key] = codec.decode_topic(value)
    elif kind == "queue":
        tenant.queues[key] = codec.decode_queue(value)
    elif kind == "flow":
        tenant.flows[key] = codec.decode_flow(value)
    elif kind == "schedule":
        tenant.schedules[key] = codec.decode_schedule(value)
    elif kind == "counters":
        tenant.counters = codec.decode_counters(value)


def stored_keys(connection: sqlite3.Connection, user: str) -> SigningKeys | None:
    """Return the signing keys of a user after rotation; None if they were never rotated."""
    row = connection.execute("SELECT value FROM things WHERE kind='keys' AND user=?", (user,)).fetchone()
    return None if row is None else codec.decode_keys(row[0])


def _dead_letters(connection: sqlite3.Connection, user: str) -> Iterator[DlqEntry]:
    rows = connection.execute("SELECT * FROM dlq WHERE user=? ORDER BY seq", (user,))
    for seq, entry_id, failed_at_ms, status, headers, response, error, *message in rows:
        result = AttemptResult(status, json.loads(headers), response, error)
        yield DlqEntry(seq, entry_id, codec.decode_message(*message), failed_at_ms, result)


def unfinished(connection: sqlite3.Connection) -> Iterator[Live]:
    """Yield all unfinished messages, in order of acceptance."""
    rows = connection.execute(
        "SELECT m.seq, m.id, m.user, m.content, m.body, p.retried, p.due_ms, p.cancel_requested"
        " FROM progress p CROSS JOIN messages m ON m.seq = p.seq WHERE p.finished_ms IS NULL ORDER BY p.seq"
    )
    for seq, message_id, user, content, body, retried, due_ms, cancel_requested in rows:
        message = codec.decode_message(seq, message_id, user, content, body)
        yield Live(message, due_ms, retried, cancel_requested=bool(cancel_requested))


def last_seq(connection: sqlite3.Connection) -> int:
    """Return the highest number given so far to a message or a dead letter."""
    rows = connection.execute("SELECT max(seq) FROM messages UNION ALL SELECT max(seq) FROM dlq")
    return max((seq or 0 for (seq,) in rows), default=0)
