"""The data folder: one SQLite file, written as changes happen; only what is unfinished is in memory, too.

What a search of the log asks for is in columns, the rest is pickled. Invariants: the changes of one transition are
committed together, in order with all others; a commit that returned survives SIGKILL, with `synced` (the default) also
a power cut. Readers see only what is committed, each over a connection of its own.
"""

import contextlib
import os
import pickle
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

from baton_local.qstash.core.destinations import Endpoint, Topic
from baton_local.qstash.core.flow_control import FlowKey, FlowSpec
from baton_local.qstash.core.headers import Redaction
from baton_local.qstash.core.message import AttemptResult, DlqEntry, Event, EventState, Live, Message
from baton_local.qstash.core.options import CallbackSpec, Options
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.schedules import Schedule
from baton_local.qstash.core.selection import MESSAGE_FILTERS, Selection
from baton_local.qstash.core.state import Change, Finished, SigningKeys, Stored, Tenant, UserForgotten
from baton_local.stand_in.folder import lock_folder

_PICKLED = (
    *(Message, CallbackSpec, FlowSpec, Redaction, Options, AttemptResult, DlqEntry),
    *(Live, Topic, Endpoint, Queue, FlowKey, Schedule, SigningKeys),
)
# What another version pickled has the fields of its classes, so its folder is refused.
FORMAT = crc32(repr([(each, each.__match_args__) for each in _PICKLED]).encode()) & 0x7FFF_FFFF

# Every message has events of these states; the others have an index of their own, named in a query by these very words.
_COMMON = (EventState.CREATED, EventState.ACTIVE, EventState.DELIVERED)
_TROUBLE = f"state NOT IN ({','.join(repr(state.value) for state in _COMMON)})"
_SUCCESSES = frozenset(map(str, range(200, 300)))
# Rows are written at the end of their tables, and read soon or never: a larger cache only grows with what was sent.
_TABLES = f"""
PRAGMA cache_size=-4000;
PRAGMA wal_autocheckpoint=4000;
PRAGMA user_version={FORMAT};
CREATE TABLE IF NOT EXISTS messages(
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS traits(seq INTEGER, trait INTEGER, PRIMARY KEY(seq, trait)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_of_trait ON traits(trait);
CREATE TABLE IF NOT EXISTS finished(seq INTEGER PRIMARY KEY, at_ms INTEGER, size_bytes INTEGER);
CREATE INDEX IF NOT EXISTS finished_in_order ON finished(at_ms);
CREATE TABLE IF NOT EXISTS events(
    n INTEGER PRIMARY KEY, seq INTEGER, user TEXT, time_ms INTEGER, state TEXT, status INTEGER, rest BLOB);
CREATE INDEX IF NOT EXISTS events_of_message ON events(seq);
CREATE INDEX IF NOT EXISTS events_of_trouble ON events(state) WHERE {_TROUBLE};
CREATE TABLE IF NOT EXISTS stored(
    kind TEXT, user TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY(kind, user, key)) WITHOUT ROWID;
"""
_MESSAGE = "INSERT INTO messages VALUES(?,?,?,?)"
_TRAIT = "INSERT OR IGNORE INTO traits VALUES(?,?)"
_EVENT = "INSERT INTO events VALUES(NULL,?,?,?,?,?,?)"
_FINISHED = "INSERT INTO finished VALUES(?,?,?)"
_STORED = "INSERT OR REPLACE INTO stored VALUES(?,?,?,?)"
_DROPPED = "DELETE FROM stored WHERE kind=? AND user=? AND key=?"
_OF_MESSAGES = ("events", "traits", "finished", "messages")

# What a finished message costs on disk besides bodies: its row, its events, their indexes (measured, rounded up).
_OVERHEAD_BYTES = 2_000
_PRUNE_EVERY_MS = 1_000
_PRUNED_AT_ONCE = 500  # messages, so that no commit is held up for long


class Storage:
    """Everything on disk; opened for one server at a time. Connections go between threads, one at a time."""

    def __init__(self, folder: Path, *, synced: bool, keep_finished_ms: int, keep_finished_bytes: int) -> None:
        self.synced, self._keep_ms, self._max_bytes = synced, keep_finished_ms, keep_finished_bytes
        self._path, self._pruned_ms = folder / "qstash.db", 0
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:  # undone if a later step fails
            self._lock = lock_folder(folder)
            opened.callback(os.close, self._lock)
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            opened.callback(self._connection.close)
            self._refuse_another_format()
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._connection.executescript(_TABLES)
            self._finished_bytes = self._sum_of_finished()
            opened.pop_all()

    def _refuse_another_format(self) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and found != FORMAT:
            raise RuntimeError(f"{self._path} is of another version; choose another data folder, or remove this one")

    def _sum_of_finished(self) -> int:
        total: int = self._connection.execute("SELECT coalesce(sum(size_bytes), 0) FROM finished").fetchone()[0]
        return total

    def write(self, changes: Iterable[Change], now_ms: int) -> None:
        """Put changes into the next commit, and now and then forget what is old."""
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            self._write(changes)
            if now_ms - self._pruned_ms >= _PRUNE_EVERY_MS:
                self._pruned_ms = 0 if self._prune(now_ms) else now_ms
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()  # half a transition must never be committed
            raise

    def _write(self, changes: Iterable[Change]) -> None:
        rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        values: dict[tuple[str, str, str], Any] = {}
        for change in changes:
            if isinstance(change, Stored):
                values[change[:3]] = change.value  # the last word on a value is enough
            elif isinstance(change, Event):
                rows[_EVENT].append(_event_row(change))
            elif isinstance(change, Message):
                rows[_MESSAGE].append((change.seq, change.id, change.user, pickle.dumps(change)))
                rows[_TRAIT] += [(change.seq, trait) for trait in _traits_of(change)]
            elif isinstance(change, Finished):
                size_bytes = len(change.message.body or b"") + change.response_bytes + _OVERHEAD_BYTES
                rows[_FINISHED].append((change.message.seq, change.at_ms, size_bytes))
                self._finished_bytes += size_bytes
            else:
                self._put(rows, values)
                rows, values = defaultdict(list), {}
                self._forget(change)
        self._put(rows, values)

    def _put(self, rows: dict[str, list[tuple[Any, ...]]], values: dict[tuple[str, str, str], Any]) -> None:
        for place, value in values.items():
            if value is None:
                rows[_DROPPED].append(place)
            else:
                rows[_STORED].append((*place, pickle.dumps(value)))
        for statement, of_statement in rows.items():
            self._connection.executemany(statement, of_statement)

    def _forget(self, change: UserForgotten) -> None:
        self._connection.execute("DELETE FROM stored WHERE user=?", change)
        for table in _OF_MESSAGES:
            own = "seq IN (SELECT seq FROM messages WHERE user=?)"
            self._connection.execute(f"DELETE FROM {table} WHERE {own}", change)  # noqa: S608 - constants
        self._finished_bytes = self._sum_of_finished()

    def _prune(self, now_ms: int) -> bool:
        """Forget some of what is finished and too old or too much; whether there may be more to do."""
        old: list[tuple[int]] = []
        query = "SELECT seq, at_ms, size_bytes FROM finished ORDER BY at_ms LIMIT ?"
        for seq, at_ms, size_bytes in self._connection.execute(query, (_PRUNED_AT_ONCE,)):
            if self._finished_bytes <= self._max_bytes and at_ms > now_ms - self._keep_ms:
                break
            self._finished_bytes -= size_bytes
            old.append((seq,))
        for table in _OF_MESSAGES:
            self._connection.executemany(f"DELETE FROM {table} WHERE seq=?", old)  # noqa: S608 - constants
        return len(old) == _PRUNED_AT_ONCE

    def commit(self) -> None:
        """Make what was written durable; blocks until it is."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Commit, close (the write-ahead log is folded into the file), and let others have the folder."""
        try:
            self.commit()
        finally:
            self._connection.close()
            os.close(self._lock)

    def load(self, tenants: dict[str, Tenant]) -> tuple[int, list[Live]]:
        """Fill the users' worlds; the highest number given so far, and what is unfinished, in order of acceptance.

        A user who is no longer served keeps theirs on disk.
        """
        lives: list[Live] = []
        (last_seq,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM messages").fetchone()
        for user, tenant in tenants.items():
            for kind, key, value in self._connection.execute(
                "SELECT kind, key, value FROM stored WHERE user=? AND kind!='live'", (user,)
            ):
                loaded = pickle.loads(value)  # noqa: S301 - our own file
                if kind != "keys":
                    getattr(tenant, kind)[key] = loaded
                elif loaded.configured == tenant.keys.configured:  # else other ones are configured since
                    tenant.keys = loaded
            tenant.dlq = dict(sorted(tenant.dlq.items(), key=lambda item: item[1].seq))
            tenant.dedup = dict(sorted(tenant.dedup.items(), key=lambda item: item[1][1]))
            last_seq = max(last_seq, *(entry.seq for entry in tenant.dlq.values()), 0)
            for message, value in self._connection.execute(
                "SELECT message, value FROM stored JOIN messages ON id=key WHERE kind='live' AND stored.user=?", (user,)
            ):
                lives.append(Live(pickle.loads(message), *pickle.loads(value)))  # noqa: S301 - our own file
        return last_seq, sorted(lives, key=lambda live: live.message.seq)

    def message(self, user: str, message_id: str) -> Message | None:
        """Return a message that was accepted and not yet pruned, finished or not; any thread may ask."""
        query = "SELECT message FROM messages WHERE id=? AND user=?"
        with contextlib.closing(sqlite3.connect(self._path)) as reader:
            row = reader.execute(query, (message_id, user)).fetchone()
        return None if row is None else pickle.loads(row[0])  # noqa: S301 - our own file

    def events(self, user: str, selection: Selection, limit: int) -> list[tuple[int, Event]]:
        """Return selected events with their numbers, newest first; the cursor is the last one seen. Any thread may ask.

        Rows are picked by numbers alone, so that none is read, or sorted, that is not shown.
        """
        where, values = _condition(user, selection)
        query = (
            "SELECT n, time_ms, state, rest, message FROM events JOIN messages USING(seq) WHERE n IN"  # noqa: S608 - only marks
            f" (SELECT n FROM events WHERE {where} ORDER BY n DESC LIMIT ?) ORDER BY n DESC"
        )
        with contextlib.closing(sqlite3.connect(self._path)) as reader:
            rows = reader.execute(query, (*values, limit)).fetchall()
        return [
            (n, Event(pickle.loads(message), time_ms, EventState(state), *pickle.loads(rest)))  # noqa: S301 - our own file
            for n, time_ms, state, rest, message in rows
        ]


def _event_row(event: Event) -> tuple[Any, ...]:
    status = None if event.result is None else event.result.status
    rest = pickle.dumps((event.next_delivery_ms, event.result))
    return event.message.seq, event.message.user, event.time_ms, event.state, status, rest


def _traits_of(message: Message) -> Iterable[int]:
    return (_trait(name, value) for name, read in MESSAGE_FILTERS.items() for value in read(message) if value)


def _trait(name: str, value: str) -> int:
    """Return a number for what a filter looks for, of so many bits that no two are the same."""
    digest = blake2b(f"{name} {value}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _condition(user: str, selection: Selection) -> tuple[str, list[Any]]:
    parts, values = ["user=?"], list[Any]([user])
    for bound, comparison in (
        (selection.cursor, "n<?"),
        (selection.from_ms, "time_ms>=?"),
        (selection.to_ms, "time_ms<=?"),
    ):
        if bound is not None:
            parts.append(comparison)
            values.append(bound)
    for name, wanted in selection.values.items():
        marks = ",".join("?" * len(wanted))
        if name in MESSAGE_FILTERS:
            parts.append(f"seq IN (SELECT seq FROM traits WHERE trait IN ({marks}))")  # noqa: S608 - only marks
            values += [_trait(name, value) for value in wanted]
        elif name in {"state", "responseStatus"}:
            parts.append(f"{'state' if name == 'state' else 'cast(status AS TEXT)'} IN ({marks})")
            values += wanted
    states = selection.values.get("state", frozenset())
    statuses = selection.values.get("responseStatus", frozenset())
    if (states and states.isdisjoint(_COMMON)) or (statuses and statuses.isdisjoint(_SUCCESSES)):
        parts.append(_TROUBLE)
    return " AND ".join(parts), values
