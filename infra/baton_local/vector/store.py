"""The one SQLite file: its tables, what the index was made with, and its records.

Changes are written, and read back at the start. Invariants: a commit that returned survives SIGKILL and a power cut.
The changes of one request are committed together, in order, or none of them. Vectors of different dimensions or models
never meet in one index. Never answers a request.
"""

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import assert_never

from baton_local.stand_in.folder import DataFolderError
from baton_local.vector.core.record import (
    Change,
    NamespaceDropped,
    NamespaceEmptied,
    NamespaceMade,
    NamespaceRenamed,
    Record,
    RecordDropped,
    RecordPut,
    Vector,
)

VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records(
    seq INTEGER PRIMARY KEY, namespace INTEGER NOT NULL REFERENCES namespaces(id), id TEXT NOT NULL,
    vector BLOB NOT NULL, metadata TEXT, data TEXT, UNIQUE(namespace, id));
INSERT OR IGNORE INTO namespaces VALUES(1, '');
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open a connection that may be handed between threads (one at a time), with the tables in place."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_TABLES)
        _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("INSERT OR IGNORE INTO meta VALUES('version', ?)", (str(VERSION),))
    (found,) = connection.execute("SELECT value FROM meta WHERE key='version'").fetchone()
    if found != str(VERSION):
        raise DataFolderError(f"{path} has format {found}, this version reads {VERSION}; choose another --data")


def keep_shape(connection: sqlite3.Connection, folder: Path, dimension: int, model_name: str) -> None:
    """Note the shape of an empty index; compare it with that of one that has records.

    Raises:
        DataFolderError: the stored records are of another shape.
    """
    (has_records,) = connection.execute("SELECT EXISTS(SELECT 1 FROM records)").fetchone()
    stored = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('dimension', 'model')"))
    if has_records and stored["dimension"] != str(dimension):
        raise DataFolderError(
            f"{folder} holds vectors of dimension {stored['dimension']}, not {dimension}; "
            f"start with --dimension {stored['dimension']} or choose another --data"
        )
    # An index without a model may be served with one and the other way round: its texts are then just not embedded.
    if has_records and stored["model"] and model_name and stored["model"] != model_name:
        raise DataFolderError(
            f"{folder} holds vectors of the embedder {stored['model']}, not of {model_name}; "
            "start with that one or choose another --data"
        )
    values = [("dimension", str(dimension)), ("model", model_name or (stored.get("model", "") if has_records else ""))]
    connection.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", values)


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
        """Yield the changes that lead from an empty index to the stored one."""
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
    """Return the numbers as little-endian doubles, on any machine."""
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
