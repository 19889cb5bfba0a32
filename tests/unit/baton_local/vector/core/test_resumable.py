import pytest

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core.querying import Hit, ResumableQueries
from baton_local.vector.core.record import Include
from tests.unit.baton_local.vector.core.made import record

HITS = [Hit(1.0, record(seq, str(seq))) for seq in range(5)]


def begun(queries: ResumableQueries, name: str = "q", first: int = 2, max_idle_ms: int = 100) -> list[str]:
    hits = queries.begin(name, HITS, first=first, include=Include(), max_idle_ms=max_idle_ms, now_ms=0)
    return [hit.record.id for hit in hits]


def test_a_query_that_nobody_requests_ends() -> None:
    queries = ResumableQueries(9)
    begun(queries)
    queries.more("q", 1, 100)
    assert queries.count(200) == 1
    assert queries.count(201) == 0
    with pytest.raises(ApiError, match="Resumable query q does not exist, or it has ended"):
        queries.more("q", 1, 201)
