"""The tables of the one SQLite file, and how a connection to it is opened.

Invariant: a commit that returned survives SIGKILL; with `synced` (the default) also a power cut.
"""

import sqlite3
from pathlib import Path

from baton_local.qstash.storage import times, traits

VERSION = 2
_WITHOUT_TRAITS = "1"
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
    """A connection that may be handed between threads (one at a time), with the tables in place."""
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
    if found == _WITHOUT_TRAITS:
        _upgrade(connection)
    elif found != str(VERSION):
        connection.close()
        raise RuntimeError(f"{path} has format {found}, this version reads {VERSION}; choose another data folder")


def _upgrade(connection: sqlite3.Connection) -> None:
    """Give what an older version wrote its place in the index; all or nothing."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        traits.fill(connection)
        times.measure(connection)
        connection.execute("UPDATE meta SET value=? WHERE key='version'", (str(VERSION),))
