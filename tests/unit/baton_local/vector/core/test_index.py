"""Plans of writes, pages, and what queries see of a namespace while it is being indexed."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core import selection, writing
from baton_local.vector.core.index import Namespace
from baton_local.vector.core.record import Include, NamespaceMade, RecordPut
from baton_local.vector.core.selection import ByIds
from baton_local.vector.core.writing import Update, merge_patch
from tests.unit.baton_local.vector.core.made import draft, execute, index_with, record


def seen(space: Namespace, now_ms: int) -> list[str]:
    return [entry.id for entry in space.queryable(now_ms)]


def test_a_new_record_is_seen_when_it_is_due() -> None:
    space = Namespace()
    space.put(record(1, "a"), 1_000, 50)
    assert (seen(space, 1_049), space.counts(1_049)) == ([], (0, 1))
    assert (seen(space, 1_050), space.counts(1_050)) == (["a"], (1, 0))


def test_a_replaced_record_is_seen_as_it_was_before() -> None:
    """Each replacement starts the wait anew, from what was seen then."""
    space = Namespace()
    first, second, third = (record(1, "a", number, 1.0) for number in (1.0, 2.0, 3.0))
    space.put(first, 0, 50)
    space.put(second, 60, 50)
    assert space.queryable(100) == [first]
    space.put(third, 100, 50)
    assert space.queryable(149) == [first]  # the second never got its turn
    assert space.counts(149) == (1, 1)
    assert space.queryable(150) == [third]


def test_a_record_replaced_before_it_was_seen_stays_unseen() -> None:
    """Until the replacement is due."""
    space = Namespace()
    space.put(record(1, "a"), 0, 50)
    space.put(record(1, "a", 2.0, 0.0), 40, 50)
    assert (seen(space, 60), space.counts(60)) == ([], (0, 1))
    assert seen(space, 90) == ["a"]


def test_what_is_dropped_is_not_seen_and_not_pending() -> None:
    space = Namespace()
    for seq, name in enumerate("abc", 1):
        space.put(record(seq, name), 0, 50)
    space.drop("a")
    space.drop("unknown")
    assert space.counts(0) == (0, 2)
    space.reset()
    assert space.counts(0) == (0, 0)
    assert seen(space, 100) == []


def test_order_is_that_of_insertion_while_some_are_pending() -> None:
    """Also of replaced ones."""
    space = Namespace()
    for seq, name in enumerate("abc", 1):
        space.put(record(seq, name), 0, 0)
    space.put(record(2, "b", 5.0, 5.0), 0, 50)
    space.put(record(4, "d"), 0, 50)
    assert seen(space, 10) == ["a", "b", "c"]
    assert seen(space, 60) == ["a", "b", "c", "d"]


@given(st.integers(1, 7), st.lists(st.tuples(st.booleans(), st.integers(0, 29)), max_size=40))
def test_paging_meets_every_lasting_record_once(limit: int, changes: list[tuple[bool, int]]) -> None:
    """Whatever is inserted, replaced or deleted between pages; what comes and goes may be met once or not."""
    index = index_with(*(str(number) for number in range(20)))
    touched = {str(number) for is_upsert, number in changes if not is_upsert}
    met, cursor, waiting = [], 0, list(changes)
    while True:
        page = selection.scan(index, "", after_seq=cursor, limit=limit, prefix="", include=Include())
        met += [record["id"] for record in page["vectors"]]
        if not page["nextCursor"]:
            break
        cursor = int(page["nextCursor"])
        if waiting:
            is_upsert, number = waiting.pop()
            name = str(number)
            plan = writing.upsert(index, "", [draft(name)]) if is_upsert else writing.delete(index, "", ByIds((name,)))
            execute(index, plan)
    for number in range(20):
        if str(number) not in touched:
            assert met.count(str(number)) == 1


def test_every_record_has_its_chance() -> None:
    """From the first position to just below the last's end."""
    index = index_with("a", "b", "c")
    found = [selection.at_position(index, "", position) for position in (0.0, 0.34, 0.5, 0.67, 0.999999)]
    assert [record["id"] for record in found if record] == ["a", "b", "b", "c", "c"]
    assert selection.at_position(index, "unknown", 0.5) is None


def test_planning_changes_nothing() -> None:
    """Only carrying out does; one numbering serves all namespaces."""
    index = index_with("a")
    plan = writing.upsert(index, "ns", [draft("a")])
    assert [type(change) for change in plan.changes] == [NamespaceMade, RecordPut]
    assert (list(index.namespaces), index.last_seq) == ([""], 1)
    execute(index, plan)
    assert (list(index.namespaces), index.last_seq) == (["", "ns"], 2)
    assert [index.namespaces[name].records["a"].seq for name in ("", "ns")] == [1, 2]


def test_a_patch_of_no_metadata_makes_some() -> None:
    """As if they had been empty."""
    index = index_with("a")
    execute(index, writing.update(index, "", Update("a", metadata={"m": 3, "n": None}, patches_metadata=True)))
    assert index.namespaces[""].records["a"].metadata == {"m": 3}


# The test cases of RFC 7396, appendix A.
CASES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), CASES)
def test_a_merge_patch_does_what_the_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    """And neither argument is changed."""
    before = copy.deepcopy((target, patch))
    assert merge_patch(target, patch) == expected
    assert (target, patch) == before


@pytest.mark.parametrize(
    ("old", "new", "delete_existing", "refusal"),
    [
        pytest.param("", "b", False, "default namespace", id="the default one"),
        pytest.param("no", "b", False, "no", id="an unknown one"),
        pytest.param("a", "b", False, "b", id="to a name that is taken"),
        pytest.param("a", "a", False, "", id="to its own name"),
        pytest.param("a", "c", False, "", id="to a free name"),
        pytest.param("a", "b", True, "", id="in place of another"),
    ],
)
def test_a_namespace_gets_another_name(old: str, new: str, delete_existing: bool, refusal: str) -> None:
    index = index_with()
    for name in ("a", "b"):
        execute(index, writing.upsert(index, name, [draft(name)]))
    if refusal:
        with pytest.raises(ApiError, match=refusal):
            writing.rename_namespace(index, old, new, delete_existing=delete_existing)
        return
    execute(index, writing.rename_namespace(index, old, new, delete_existing=delete_existing))
    assert list(index.namespaces[new].records) == [old]
    assert (old in index.namespaces) == (old == new)
