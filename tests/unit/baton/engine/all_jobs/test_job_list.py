"""The list of jobs, pure: rows in their order, positions and cursors."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.engine.all_jobs.job_list import (
    Query,
    Row,
    all_members,
    bounds,
    cursor_of,
    found,
    index_of,
    members,
    position_from,
    position_of,
)
from baton.engine.all_jobs.shelves import span_of
from tests.unit.baton.engine.sample_state import NOW_MS

ROW = Row("job_a", NOW_MS, "acme", "s", "agent")
FAILED = frozenset({"failed"})


@pytest.mark.parametrize("status", ["", "completed", "failed", "cancelled"])
def test_from_any_row_of_a_job_all_of_its_rows_follow(status: str) -> None:
    """So that one that is gone can be removed whole. A job below another is listed with its parent only."""
    rows = members(replace(ROW, status=status, tags=("prod", "night")))
    for member in rows:
        assert set(rows) <= set(all_members(member))
        one = found(member)
        assert (one.job_id, one.created_ms, one.member) == ("job_a", NOW_MS, member)
        assert one.position == position_of(NOW_MS, "job_a")
    child = members(replace(ROW, job_id="job_a.1.2", status=status))
    assert [member.split(":")[:2] for member in child] == [["c", "job_a.1"]]
    assert [all_members(member) for member in child] == [child]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Query(tenant="alice", session_id="s78660"), Query(tenant="mallory", session_id="t5868")),
        (Query(tenant="tenant-24789"), Query(tenant="tenant-97800")),
        (Query(tenant="tenant-24789", statuses=FAILED), Query(tenant="tenant-97800", statuses=FAILED)),
        (Query(tags=("tag-2324",)), Query(tags=("tag-37551",))),
        (Query(tenant="acme", tags=("tag-2324",)), Query(tenant="acme", tags=("tag-37551",))),
    ],
)
def test_texts_that_somebody_searched_for_share_no_key(one: Query, other: Query) -> None:
    """The digests of each pair begin alike, in 32 bits. A reader looks at the newest rows: others push them out."""
    assert index_of(one) != index_of(other)
    assert (
        span_of(one, "").key != span_of(other, "").key or span_of(one, "").first_entry != span_of(other, "").first_entry
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), "a"),
        (Query(tenant="acme"), "t:"),
        (Query(tenant="acme", session_id="s", statuses=FAILED), "s:"),
        (Query(statuses=FAILED), "e:failed"),
        (Query(tenant="acme", statuses=FAILED), "f:failed:"),
        (Query(tags=("prod", "night"), statuses=FAILED), "g:"),
        (Query(tenant="acme", tags=("prod",)), "h:"),
        (Query(tenant="acme", parent_id="job_a"), "c:job_a"),
    ],
)
def test_the_index_with_the_fewest_rows_is_looked_at(query: Query, expected: str) -> None:
    """It has all that the query may mean."""
    assert index_of(query).startswith(expected)
    row = replace(ROW, status="failed", tags=("prod", "night"), job_id="job_a.1" if query.parent_id else "job_a")
    if not query.statuses - {"failed"}:
        assert any(member.startswith(f"{index_of(query)}:") for member in members(row))


@pytest.mark.parametrize(
    ("statuses", "live"), [({"pending"}, True), ({"failed"}, False), ({"failed", "pending"}, False), (set(), False)]
)
def test_a_query_for_live_jobs_alone_is_known(statuses: set[str], live: bool) -> None:
    assert Query(statuses=frozenset(statuses)).live is live
    assert not Query(statuses=frozenset(statuses), parent_id="job_a").live


@given(created=st.lists(st.integers(0, 5), min_size=1, max_size=8), after=st.integers(0, 6), before=st.integers(0, 6))
def test_a_range_has_the_jobs_created_in_it(created: list[int], after: int, before: int) -> None:
    """From `after` on, and before `before`."""
    rows = {members(replace(ROW, job_id=f"job_{n}", created_ms=NOW_MS + ms))[0]: ms for n, ms in enumerate(created)}
    highest, lowest = bounds(Query(after_ms=NOW_MS + after, before_ms=NOW_MS + before), "")
    inside = {member for member in rows if lowest <= member < highest}
    assert inside == {member for member, ms in rows.items() if after <= ms < before}


@given(ids=st.lists(st.text("ab_-.01", min_size=1, max_size=4), unique=True, min_size=1, max_size=8))
def test_a_position_stands_between_a_row_and_those_below_it(ids: list[str]) -> None:
    rows = sorted((members(replace(ROW, job_id=f"job{name.replace('.', 'x')}"))[0] for name in ids), reverse=True)
    for number, member in enumerate(rows):
        highest, _ = bounds(Query(), found(member).position)
        assert [row for row in rows if row < highest] == [row for row in rows[number:] if row != member]


def test_a_cursor_comes_back_as_the_position_that_it_is() -> None:
    """It holds no letter that a query must escape."""
    position = position_of(NOW_MS, "job_a.1-2_3")
    assert position_from(cursor_of(position)) == position
    assert set(cursor_of(position)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "cursor", ["x", "====", "%", "é", cursor_of("12:job:"), cursor_of(position_of(1, "a:b")), cursor_of("1" * 13)]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="is no cursor of a list"):
        position_from(cursor)
