import math
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.folder import DataFolderError
from baton_local.vector.__main__ import parse, running
from baton_local.vector.index import Index, Record, direction, score

NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3)


def score_of(one: list[float], other: list[float]) -> float:
    return score(direction(one), direction(other))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 0], [1, 0], 1),
        ([1, 0], [5, 0], 1),
        ([1, 0], [0, 3], 0.5),
        ([1, 0], [-2, 0], 0),
        ([1, 0], [1, 1e-5], 0.9999999),
        ([0, 0], [1, 1], 0.5),
        ([0, 0], [0, 0], 0.5),
        ([1e38, 1e38], [1e-38, 1e-38], 1),
    ],
)
def test_scores(one: list[float], other: list[float], expected: float) -> None:
    """(1 + cosine) / 2; the zero vector's cosine counts as 0 (vector-rest.md 5)."""
    assert score_of(one, other) == expected


@given(NUMBERS, NUMBERS)
def test_a_score_is_the_rounded_cosine(one: list[float], other: list[float]) -> None:
    lengths = math.hypot(*one) * math.hypot(*other)
    cosine = sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
    assert score_of(one, other) == pytest.approx((1 + cosine) / 2, abs=1e-6)
    assert score_of(one, other) == score_of(other, one)
    assert 0 <= score_of(one, other) <= 1


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "index.db", 2)
    yield made
    made.close()


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_a_vector_keeps_its_numbers(numbers: list[float]) -> None:
    index = Index(Path(":memory:"), 2)
    index.upsert("", [Record("a", numbers)])
    assert [list(each.vector) for each in index.records("")] == [numbers]
    index.close()


def test_a_write_is_all_or_nothing(index: Index, tmp_path: Path) -> None:
    """A record that cannot be stored takes the others of its request with it; another process may look."""
    with pytest.raises(sqlite3.Error):
        index.upsert("ns", [Record("a", [1, 0]), Record("b", [1, 0], data=["no text"])])  # type: ignore[arg-type]
    assert index.namespaces() == [""]
    index.upsert("ns", [Record("a", [1, 0], {"k": "é"})])
    other = sqlite3.connect(tmp_path / "index.db")
    assert other.execute("SELECT id, metadata FROM records").fetchall() == [("a", '{"k": "\\u00e9"}')]
    other.close()


def test_a_restart_forgets_the_lag(tmp_path: Path) -> None:
    lagging = Index(tmp_path / "index.db", 2, delay_ms=60_000)
    lagging.upsert("", [Record("a", [1, 0])])
    assert (lagging.search("", [1, 0], None), lagging.info()["pendingVectorCount"]) == ([], 1)
    lagging.close()
    index = Index(tmp_path / "index.db", 2, delay_ms=60_000)
    assert [each.id for _, each in index.search("", [1, 0], None)] == ["a"]
    index.close()


def test_an_unknown_namespace_is_named_and_the_default_one_stays(index: Index) -> None:
    for name, status in (("no", 404), ("", 422)):
        with pytest.raises(ApiError) as refused:
            index.delete_namespace(name)
        assert refused.value.status == status


def test_vectors_of_another_shape_are_refused_and_an_empty_index_takes_any(tmp_path: Path) -> None:
    """Another dimension, another model, or none."""
    path = tmp_path / "index.db"

    def opened(dimension: int, model: str) -> Index:
        index = Index(path, dimension, model)
        index.close()
        return index

    opened(2, "one")
    index = Index(path, 3, "two")
    index.upsert("", [Record("a", [1, 2, 3])])
    index.close()
    opened(3, "two")
    for dimension, model in ((2, "two"), (3, "one"), (3, "")):
        with pytest.raises(DataFolderError, match=r"of dimension 3, embedder two, .*choose another --data"):
            opened(dimension, model)


def test_one_server_at_a_time(tmp_path: Path) -> None:
    """The refusal names the process and the way out; after the end the folder is free."""
    options = parse(["--data", str(tmp_path / "new" / "data")], {})
    with running(options):
        assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
        with pytest.raises(DataFolderError, match=f"in use by process {os.getpid()}"), running(options):
            pass
    with running(options):
        pass


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    options = parse(["--data", str(tmp_path / "file")], {})
    with pytest.raises(DataFolderError, match=r"cannot use .*name another with --data"), running(options):
        pass
