"""Queries that go on."""

import pytest

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core.querying import Hit, ResumableQueries
from baton_local.vector.core.record import Include
from tests.unit.baton_local.vector.core.made import record

HITS = [Hit(1.0, record(seq, str(seq))) for seq in range(5)]


def begun(queries: ResumableQueries, name: str = "q", first: int = 2, max_idle_ms: int = 100) -> list[str]:
    """Begin a query at time 0; the ids of its first hits."""
    hits = queries.begin(name, HITS, first=first, include=Include(), max_idle_ms=max_idle_ms, now_ms=0)
    return [hit.record.id for hit in hits]


def test_every_hit_is_given_once() -> None:
    """Then none."""
    queries = ResumableQueries(9)
    given = begun(queries)
    for _ in range(3):
        given += [hit.record.id for hit in queries.more("q", 2, 0)[0]]
    assert given == ["0", "1", "2", "3", "4"]


def test_a_query_that_nobody_asks_for_ends() -> None:
    """Each use begins the wait anew."""
    queries = ResumableQueries(9)
    begun(queries)
    queries.more("q", 1, 100)
    assert queries.count(200) == 1
    assert queries.count(201) == 0
    with pytest.raises(ApiError, match="Resumable query q does not exist, or it has ended"):
        queries.more("q", 1, 201)


def test_room_is_made_by_ending() -> None:
    """Or by waiting."""
    queries = ResumableQueries(2)
    begun(queries, "a")
    begun(queries, "b", max_idle_ms=50)
    with pytest.raises(ApiError, match="2 are open"):
        queries.check_capacity(0)
    queries.check_capacity(51)
    begun(queries, "b")
    queries.end("a", 0)
    queries.check_capacity(0)
    with pytest.raises(ApiError):
        queries.end("a", 0)
