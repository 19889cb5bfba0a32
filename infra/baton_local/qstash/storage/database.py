"""The data folder as one object: lock, writer, reader, retention, and the state of an earlier run."""

import contextlib
import gc
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.changes import Change
from baton_local.qstash.core.commands.schedules import plan
from baton_local.qstash.core.dispatch import watch_idle_flow
from baton_local.qstash.core.lifecycle import recover
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.machine import Outcome
from baton_local.qstash.core.message import Live
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.state import Ids, State, Transition
from baton_local.qstash.core.tenant import SigningKeys, Tenant
from baton_local.qstash.settings import User
from baton_local.qstash.storage import schema
from baton_local.qstash.storage.archive import Archive
from baton_local.qstash.storage.schema import open_database
from baton_local.qstash.storage.store import Store
from baton_local.stand_in.folder import lock_folder

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

    def load(self, users: Iterable[User], limits: Limits, ids: Ids, now_ms: int) -> tuple[State, Outcome]:
        """Return the state of the last run, and what follows from taking it up again."""
        with _no_garbage_collection():
            return self._load(users, limits, ids, now_ms)

    def _load(self, users: Iterable[User], limits: Limits, ids: Ids, now_ms: int) -> tuple[State, Outcome]:
        tenants = {user.id: Tenant(user.id, self._keys(user)) for user in users}
        for tenant in tenants.values():
            schema.load_tenant(self._connection, tenant, now_ms)
        state = State(limits, ids, tenants, Capacity(limits.max_in_flight))
        state.last_seq = schema.last_seq(self._connection)
        step = Transition(state, now_ms)
        for tenant in tenants.values():
            for schedule in list(tenant.schedules.values()):
                plan(step, tenant, schedule)
            for key in tenant.flows:
                watch_idle_flow(step, tenant, key)
        by_user: dict[str, list[Live]] = {}
        for live in schema.unfinished(self._connection):
            by_user.setdefault(live.message.user, []).append(live)
        for user, lives in by_user.items():
            if user in tenants:  # a user who is no longer served keeps their messages on disk
                recover(step, tenants[user], lives)
        return state, Outcome(Answer(200), step.changes, step.effects)

    def _keys(self, user: User) -> SigningKeys:
        """Return the keys after rotation, unless other ones are configured since."""
        configured = (user.current_signing_key, user.next_signing_key)
        stored = schema.stored_keys(self._connection, user.id)
        if stored is not None and stored.configured == configured:
            return stored
        return SigningKeys(*configured, configured)


_STEP = 500  # messages per call, so that no commit is held up for long


class Retention:
    """Keeps the room that finished messages take within bounds."""

    def __init__(self, connection: sqlite3.Connection, store: Store, *, keep_ms: int, max_bytes: int) -> None:
        self._connection = connection
        self._store = store
        self._keep_ms = keep_ms
        self._max_bytes = max_bytes

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
