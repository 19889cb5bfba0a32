"""The tables of the one SQLite file, and how it is opened.

Invariant: a commit that returned survives SIGKILL and a power cut.
"""

import sqlite3
from pathlib import Path

from baton_local.stand_in.folder import DataFolderError

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
    """A connection that may be handed between threads (one at a time), with the tables in place."""
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
