from hypothesis import given
from hypothesis import strategies as st

from baton_local.vector.core import selection, writing
from baton_local.vector.core.record import Include
from baton_local.vector.core.selection import ByIds
from tests.unit.baton_local.vector.core.made import draft, execute, index_with


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
    index = index_with("a", "b", "c")
    found = [selection.at_position(index, "", position) for position in (0.0, 0.34, 0.5, 0.67, 0.999999)]
    assert [record["id"] for record in found if record] == ["a", "b", "b", "c", "c"]
    assert selection.at_position(index, "unknown", 0.5) is None
