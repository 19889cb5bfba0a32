"""Writes the changes of the index into SQLite and reads them all back at the start.

Invariant: the changes of one request are committed together, in order, or none of them. Never answers a request.
"""

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import assert_never

from baton_local.vector.core.changes import (
    Change,
    NamespaceDropped,
    NamespaceEmptied,
    NamespaceMade,
    NamespaceRenamed,
    RecordDropped,
    RecordPut,
)
from baton_local.vector.core.record import Record
from baton_local.vector.core.vector import Vector

_PUT = """
INSERT INTO records VALUES(?, (SELECT id FROM namespaces WHERE name=?), ?, ?, ?, ?)
ON CONFLICT(seq) DO UPDATE SET vector=excluded.vector, metadata=excluded.metadata, data=excluded.data
"""
_EMPTY = "DELETE FROM records WHERE namespace=(SELECT id FROM namespaces WHERE name=?)"
_LOAD = """
SELECT namespaces.name, seq, records.id, vector, metadata, data
FROM records JOIN namespaces ON namespaces.id = records.namespace ORDER BY seq
"""


class Store:
    """The records on disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, changes: Iterable[Change]) -> None:
        """Make changes durable; blocks until they are."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                self._write(change)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def load(self) -> Iterator[Change]:
        """The changes that lead from an empty index to the stored one."""
        for (name,) in self._connection.execute("SELECT name FROM namespaces ORDER BY id"):
            yield NamespaceMade(name)
        for namespace, seq, record_id, vector, metadata, data in self._connection.execute(_LOAD):
            fields = None if metadata is None else json.loads(metadata)
            yield RecordPut(namespace, Record(seq, record_id, Vector.of(_unpacked(vector)), fields, data))

    def close(self) -> None:
        """Close; the write-ahead log is folded into the file."""
        self._connection.close()

    def _write(self, change: Change) -> None:
        execute = self._connection.execute
        match change:
            case NamespaceMade(name):
                execute("INSERT OR IGNORE INTO namespaces(name) VALUES(?)", (name,))
            case NamespaceEmptied(name):
                execute(_EMPTY, (name,))
            case NamespaceDropped(name):
                execute(_EMPTY, (name,))
                execute("DELETE FROM namespaces WHERE name=?", (name,))
            case NamespaceRenamed(name, new_name):
                execute("UPDATE namespaces SET name=? WHERE name=?", (new_name, name))
            case RecordPut(namespace, record):
                metadata = None if record.metadata is None else json.dumps(record.metadata)
                vector = _packed(record.vector)
                execute(_PUT, (record.seq, namespace, record.id, vector, metadata, record.data))
            case RecordDropped(_, record):
                execute("DELETE FROM records WHERE seq=?", (record.seq,))
            case _:
                assert_never(change)


def _packed(vector: Vector) -> bytes:
    """The numbers as little-endian doubles, on any machine."""
    values = vector.values
    if sys.byteorder == "big":
        values = array("d", values)
        values.byteswap()
    return values.tobytes()


def _unpacked(blob: bytes) -> "array[float]":
    values = array("d")
    values.frombytes(blob)
    if sys.byteorder == "big":
        values.byteswap()
    return values
