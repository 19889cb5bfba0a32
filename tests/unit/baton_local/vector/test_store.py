import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.folder import DataFolderError
from baton_local.vector.core import writing
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import EVERYTHING, Draft, NamespaceMade, RecordPut, Vector, as_json
from baton_local.vector.core.selection import ByIds, ByPrefix
from baton_local.vector.core.writing import Plan, Update
from baton_local.vector.server import DataFolder
from baton_local.vector.store import Store, keep_shape, open_database
from tests.unit.baton_local.vector.core.made import execute, record

NAMES = st.sampled_from(["a", "b", "ab", "ü\x00'"])
SPACES = st.sampled_from(["", "one", "two"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DRAFTS = st.builds(
    Draft,
    NAMES,
    st.tuples(NUMBERS, NUMBERS).map(Vector.of),
    st.none() | st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.integers() | NUMBERS, max_size=2),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
)


def renaming(index: Index, old: str, new: str) -> Plan:
    return writing.rename_namespace(index, old, new, delete_existing=True)


WRITES = st.one_of(
    st.tuples(st.just(writing.upsert), SPACES, st.lists(DRAFTS, max_size=4)),
    st.tuples(st.just(writing.update), SPACES, st.builds(Update, NAMES, data=st.just("new"))),
    st.tuples(st.just(writing.delete), SPACES, st.lists(NAMES).map(tuple).map(ByIds) | NAMES.map(ByPrefix)),
    st.tuples(st.just(writing.reset), SPACES),
    st.tuples(st.just(writing.reset_all)),
    st.tuples(st.just(writing.delete_namespace), st.sampled_from(["one", "two"])),
    st.tuples(st.just(renaming), st.sampled_from(["one", "two"]), st.sampled_from(["one", "two"])),
)


def content(index: Index) -> dict[str, Any]:
    return {
        name: [(entry.seq, as_json(entry, EVERYTHING)) for entry in space.records.values()]
        for name, space in index.namespaces.items()
    }


def loaded(connection: sqlite3.Connection) -> Index:
    """The index that a server would begin with."""
    index = Index(2, "")
    for change in Store(connection).load():
        index.apply(change)
    return index


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_database(tmp_path / "vector.db")
    yield opened
    opened.close()


@settings(deadline=None, max_examples=60)
@given(st.lists(WRITES, max_size=12))
def test_after_any_writes_the_disk_has_what_memory_has(writes: list[tuple[Any, ...]]) -> None:
    connection = open_database(Path(":memory:"))
    index, store = Index(2, ""), Store(connection)
    for operation, *arguments in writes:
        try:
            plan: Plan = operation(index, *arguments)
        except ApiError:  # an unknown namespace
            continue
        store.write(plan.changes)
        execute(index, plan)
    assert content(loaded(connection)) == content(index)
    connection.close()


def test_a_write_is_all_or_nothing(connection: sqlite3.Connection) -> None:
    """A change that cannot be stored takes the others of its request with it."""
    store = Store(connection)
    store.write([NamespaceMade("ns"), RecordPut("ns", record(1, "a"))])
    with pytest.raises(sqlite3.IntegrityError):
        store.write([RecordPut("ns", record(2, "b")), RecordPut("missing", record(3, "c"))])
    assert list(loaded(connection).namespaces["ns"].records) == ["a"]
    store.write([RecordPut("ns", record(2, "b"))])


def test_another_process_may_look(connection: sqlite3.Connection, tmp_path: Path) -> None:
    Store(connection).write([RecordPut("", record(1, "a", 1.0, 2.0, metadata={"k": "é"}))])
    other = sqlite3.connect(tmp_path / "vector.db")
    assert other.execute("SELECT id, metadata FROM records").fetchall() == [("a", '{"k": "\\u00e9"}')]
    other.close()


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
