"""Ranking."""

from baton_local.vector.core.filter.parser import parse_filter
from baton_local.vector.core.querying import Query, hits_as_json, ranked
from baton_local.vector.core.record import Include, Vector
from tests.unit.baton_local.vector.core.made import record

RECORDS = [record(seq, str(seq), 1.0, float(seq % 3), metadata={"even": seq % 2 == 0}) for seq in range(1, 10)]


def test_best_first_and_of_equals_the_older() -> None:
    """Three directions, three records each."""
    hits = ranked(RECORDS, Query(Vector.of([1.0, 0.0]), 3, Include()))
    assert [hit.record.seq for hit in hits] == [3, 6, 9, 1, 4, 7, 2, 5, 8]


def test_only_what_matches_is_ranked() -> None:
    """Before the best are taken."""
    query = Query(Vector.of([1.0, 0.0]), 3, Include(metadata=True), parse_filter("even = true"))
    hits = ranked(RECORDS, query)
    assert [hit.record.seq for hit in hits] == [6, 4, 2, 8]
    assert hits_as_json(hits[:1], query.include) == [{"id": "6", "score": 1.0, "metadata": {"even": True}}]
