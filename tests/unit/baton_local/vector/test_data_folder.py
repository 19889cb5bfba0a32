import os
import sqlite3
from pathlib import Path

import pytest

from baton_local.stand_in.folder import DataFolderError
from baton_local.vector.core.record import RecordPut
from baton_local.vector.server import DataFolder
from baton_local.vector.store import Store, keep_shape, open_database
from tests.unit.baton_local.vector.core.made import record


def test_one_server_at_a_time(tmp_path: Path) -> None:
    """The refusal names the process and the way out; after the release the folder is free."""
    first = DataFolder(tmp_path / "new" / "data")
    with pytest.raises(
        DataFolderError, match=f"in use by process {os.getpid()}; stop that one or choose another --data"
    ):
        DataFolder(tmp_path / "new" / "data")
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
    first.release()
    DataFolder(tmp_path / "new" / "data").release()


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match=r"cannot use .*name another with --data"):
        DataFolder(tmp_path / "file")


def test_a_database_of_another_format_is_refused(tmp_path: Path) -> None:
    """Rather than misread."""
    path = tmp_path / "vector.db"
    connection = open_database(path)
    connection.execute("UPDATE meta SET value='99' WHERE key='version'")
    connection.close()
    with pytest.raises(DataFolderError, match="has format 99, this version reads 1; choose another --data"):
        open_database(path)


def test_vectors_of_another_shape_are_refused_and_an_empty_index_takes_any(tmp_path: Path) -> None:
    """Another dimension or another model; no model at all is served beside any."""
    connection = open_database(tmp_path / "vector.db")
    keep_shape(connection, tmp_path, 2, "one")
    keep_shape(connection, tmp_path, 3, "two")
    Store(connection).write([RecordPut("", record(1, "a", 1.0, 2.0, 3.0))])
    keep_shape(connection, tmp_path, 3, "two")
    keep_shape(connection, tmp_path, 3, "")
    with pytest.raises(DataFolderError, match="dimension 3, not 2; start with --dimension 3"):
        keep_shape(connection, tmp_path, 2, "two")
    with pytest.raises(DataFolderError, match="of the embedder two, not of one"):
        keep_shape(connection, tmp_path, 3, "one")
    connection.close()


def test_a_file_that_is_no_database_is_an_error_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "vector.db").write_text("something else entirely, and long enough to be looked at" * 20)
    with pytest.raises(sqlite3.DatabaseError):
        open_database(tmp_path / "vector.db")
