"""Plans of writes."""

import pytest

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core import writing
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import NamespaceMade, RecordPut
from baton_local.vector.core.selection import ByIds
from baton_local.vector.core.writing import Update
from tests.unit.baton_local.vector.core.made import carry_out, draft, index_with


def stored(index: Index, namespace: str = "") -> dict[str, int]:
    """The ids and their places."""
    return {record.id: record.seq for record in index.namespaces[namespace].records.values()}


def test_planning_changes_nothing() -> None:
    """Only carrying out does."""
    index = Index(2, "")
    plan = writing.upsert(index, "ns", [draft("a")])
    assert [type(change) for change in plan.changes] == [NamespaceMade, RecordPut]
    assert (list(index.namespaces), index.last_seq) == ([""], 0)
    carry_out(index, plan)
    assert (list(index.namespaces), index.last_seq) == (["", "ns"], 1)


def test_places_are_given_once_and_kept() -> None:
    """New ones come last, also within a batch that repeats an id."""
    index = index_with("a", "b")
    carry_out(index, writing.upsert(index, "", [draft("c"), draft("a"), draft("c"), draft("d")]))
    assert stored(index) == {"a": 1, "b": 2, "c": 3, "d": 4}
    carry_out(index, writing.delete(index, "", ByIds(("a",))))
    carry_out(index, writing.upsert(index, "", [draft("a")]))
    assert stored(index) == {"b": 2, "c": 3, "d": 4, "a": 5}


def test_places_differ_between_namespaces() -> None:
    """One numbering serves all."""
    index = index_with("a")
    carry_out(index, writing.upsert(index, "ns", [draft("a")]))
    assert (stored(index), stored(index, "ns")) == ({"a": 1}, {"a": 2})


def test_an_update_keeps_what_is_not_given() -> None:
    """And the place."""
    index = Index(2, "")
    carry_out(index, writing.upsert(index, "", [draft("a", metadata={"k": 1}, data="text")]))
    assert carry_out(index, writing.update(index, "", Update("a", metadata={"l": 2}))) == {"updated": 1}
    record = index.namespaces[""].records["a"]
    assert (record.seq, record.metadata, record.data) == (1, {"l": 2}, "text")
    carry_out(index, writing.update(index, "", Update("a", metadata={"m": 3}, patches_metadata=True)))
    assert index.namespaces[""].records["a"].metadata == {"l": 2, "m": 3}


def test_a_patch_of_no_metadata_makes_some() -> None:
    """As if they had been empty."""
    index = index_with("a")
    carry_out(index, writing.update(index, "", Update("a", metadata={"m": 3, "n": None}, patches_metadata=True)))
    assert index.namespaces[""].records["a"].metadata == {"m": 3}


def test_a_delete_counts_each_record_once() -> None:
    """However often it is named."""
    index = index_with("a", "b")
    assert carry_out(index, writing.delete(index, "", ByIds(("a", "x", "a")))) == {"deleted": 1}
    assert stored(index) == {"b": 2}


def test_the_default_namespace_stays() -> None:
    """Whatever is tried."""
    index = index_with("a", namespace="ns")
    with pytest.raises(ApiError, match="cannot be deleted"):
        writing.delete_namespace(index, "")
    with pytest.raises(ApiError, match="cannot be renamed"):
        writing.rename_namespace(index, "", "x", delete_existing=True)
    with pytest.raises(ApiError, match="cannot be renamed or replaced"):
        writing.rename_namespace(index, "ns", "", delete_existing=True)


def test_renaming_over_another_drops_it_first() -> None:
    """Only when asked to."""
    index = index_with("a", namespace="one")
    carry_out(index, writing.upsert(index, "two", [draft("b")]))
    with pytest.raises(ApiError, match="already exists; set deleteExisting"):
        writing.rename_namespace(index, "one", "two", delete_existing=False)
    carry_out(index, writing.rename_namespace(index, "one", "two", delete_existing=True))
    assert list(index.namespaces) == ["", "two"]
    assert list(stored(index, "two")) == ["a"]
