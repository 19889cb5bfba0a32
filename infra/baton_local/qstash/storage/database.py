"""The data folder as one object: lock, writer, reader, retention, the tables, and the state of an earlier run.

Unfinished messages, dead letters, windows and small things are loaded; what was in flight when the process died is due
again with the same attempt number (qstash.md 7). Invariant: a commit that returned survives SIGKILL; with `synced` (the
default) also a power cut.
"""

import contextlib
import gc
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.commands.publishing import plan
from baton_local.qstash.core.dispatch import watch_idle_flow
from baton_local.qstash.core.lifecycle import recover
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.machine import Outcome
from baton_local.qstash.core.message import AttemptResult, DlqEntry, Live
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.state import Change, RunIds, State, Transition
from baton_local.qstash.core.tenant import SigningKeys, Tenant
from baton_local.qstash.settings import User
from baton_local.qstash.storage import codec
from baton_local.qstash.storage.archive import Archive
from baton_local.qstash.storage.store import Store
from baton_local.stand_in.folder import lock_folder

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


_PRUNE_EVERY_MS = 1_000


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Load without garbage collection: everything stays, and looking through it again would double the start."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Database:
    """Everything on disk; opened for one server at a time."""

    def __init__(self, folder: Path, *, synced: bool, keep_finished_ms: int, keep_finished_bytes: int) -> None:
        self.synced = synced
        self._pruned_ms = 0
        with contextlib.ExitStack() as opened:  # undone if a later step fails
            folder.mkdir(parents=True, exist_ok=True)
            lock = lock_folder(folder)
            opened.callback(os.close, lock)
            path = folder / "qstash.db"
            self._connection = open_database(path, synced=synced)
            opened.callback(self._connection.close)
            self._store = Store(self._connection)
            self._retention = Retention(
                self._connection, self._store, keep_ms=keep_finished_ms, max_bytes=keep_finished_bytes
            )
            self.archive = Archive(open_database(path, synced=synced))
            opened.callback(self.archive.close)
            opened.pop_all()
        self._lock = lock

    def write(self, changes: Iterable[Change], now_ms: int) -> None:
        """Put changes into the next commit, and now and then forget what is old."""
        try:
            self._store.write(changes)
            if now_ms - self._pruned_ms >= _PRUNE_EVERY_MS:
                more = self._retention.prune(now_ms)
                self._pruned_ms = 0 if more else now_ms
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()  # half a transition must never be committed
            raise

    def commit(self) -> None:
        """Make what was written durable; blocks until it is."""
        self._store.commit()

    def close(self) -> None:
        """Commit, close, and let others have the folder."""
        try:
            self.archive.close()
            self._store.close()
        finally:
            os.close(self._lock)

    def load(self, users: Iterable[User], limits: Limits, ids: RunIds, now_ms: int) -> tuple[State, Outcome]:
        """Return the state of the last run, and what follows from taking it up again."""
        with _no_garbage_collection():
            return self._load(users, limits, ids, now_ms)

    def _load(self, users: Iterable[User], limits: Limits, ids: RunIds, now_ms: int) -> tuple[State, Outcome]:
        tenants = {user.id: Tenant(user.id, self._keys(user)) for user in users}
        for tenant in tenants.values():
            load_tenant(self._connection, tenant, now_ms)
        state = State(limits, ids, tenants, Capacity(limits.max_in_flight))
        state.last_seq = last_seq(self._connection)
        step = Transition(state, now_ms)
        for tenant in tenants.values():
            for schedule in list(tenant.schedules.values()):
                plan(step, tenant, schedule)
            for key in tenant.flows:
                watch_idle_flow(step, tenant, key)
        by_user: dict[str, list[Live]] = {}
        for live in unfinished(self._connection):
            by_user.setdefault(live.message.user, []).append(live)
        for user, lives in by_user.items():
            if user in tenants:  # a user who is no longer served keeps their messages on disk
                recover(step, tenants[user], lives)
        return state, Outcome(Answer(200), step.changes, step.effects)

    def _keys(self, user: User) -> SigningKeys:
        """Return the keys after rotation, unless other ones are configured since."""
        configured = (user.current_signing_key, user.next_signing_key)
        stored = stored_keys(self._connection, user.id)
        if stored is not None and stored.configured == configured:
            return stored
        return SigningKeys(*configured, configured)


_STEP = 500  # messages per call, so that no commit is held up for long


class Retention:
    """Keeps the room that finished messages take within bounds."""

    def __init__(self, connection: sqlite3.Connection, store: Store, *, keep_ms: int, max_bytes: int) -> None:
        self._connection, self._store, self._keep_ms, self._max_bytes = connection, store, keep_ms, max_bytes

    def prune(self, now_ms: int) -> bool:
        """Forget a step's worth of what is too old or too much; whether there may be more to do."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM dedup WHERE expires_ms<=?", (now_ms,))
        seqs: list[tuple[int]] = []
        for seq, finished_ms, size_bytes in self._connection.execute(
            "SELECT seq, finished_ms, size_bytes FROM progress WHERE finished_ms IS NOT NULL"
            " ORDER BY finished_ms LIMIT ?",
            (_STEP,),
        ):
            if self._store.finished_bytes <= self._max_bytes and finished_ms > now_ms - self._keep_ms:
                break
            self._store.finished_bytes -= size_bytes
            seqs.append((seq,))
        for table in ("events", "progress", "traits", "messages"):
            self._connection.executemany(f"DELETE FROM {table} WHERE seq=?", seqs)  # noqa: S608 - constants
        return len(seqs) == _STEP
