"""How long the data folder keeps messages: finished ones are forgotten with their events after a time, or for room.

Invariant: retention never touches an unfinished message, a dead letter, or an open deduplication window. Dead letters
stay until a caller deletes or retries them.
"""

import sqlite3

from baton_local.qstash.storage.store import Store

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
