from baton_local.vector.core import writing
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import NamespaceMade, RecordPut
from baton_local.vector.core.writing import Update
from tests.unit.baton_local.vector.core.made import draft, execute, index_with


def stored(index: Index, namespace: str = "") -> dict[str, int]:
    return {record.id: record.seq for record in index.namespaces[namespace].records.values()}


def test_planning_changes_nothing() -> None:
    index = Index(2, "")
    plan = writing.upsert(index, "ns", [draft("a")])
    assert [type(change) for change in plan.changes] == [NamespaceMade, RecordPut]
    assert (list(index.namespaces), index.last_seq) == ([""], 0)
    execute(index, plan)
    assert (list(index.namespaces), index.last_seq) == (["", "ns"], 1)


def test_places_differ_between_namespaces() -> None:
    index = index_with("a")
    execute(index, writing.upsert(index, "ns", [draft("a")]))
    assert (stored(index), stored(index, "ns")) == ({"a": 1}, {"a": 2})


def test_a_patch_of_no_metadata_makes_some() -> None:
    index = index_with("a")
    execute(index, writing.update(index, "", Update("a", metadata={"m": 3, "n": None}, patches_metadata=True)))
    assert index.namespaces[""].records["a"].metadata == {"m": 3}
