"""The SDK's query and query_many."""

import math

import pytest
from upstash_vector.errors import UpstashError
from upstash_vector.types import FusionAlgorithm, QueryMode, QueryResult, WeightingStrategy

from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import LocalVector

DIAGONAL_SCORE = pytest.approx((1 + math.sqrt(0.5)) / 2, abs=1e-6)


async def fill(sdk: EitherIndex, namespace: str = "") -> None:
    records = [
        ("east", [1, 0], {"n": 1}, "right"),
        ("south", [0, -2], {"n": 2}),
        ("west", [-3, 0], {"n": 3}),
        ("north", [0, 4], {"n": 4}),
        ("northeast", [5, 5], {"n": 5}),
    ]
    await sdk.upsert(records, namespace=namespace)


async def test_the_most_similar_come_first(sdk: EitherIndex) -> None:
    """Scores are (1 + cosine) / 2; ties are in order of insertion (vector-rest.md 5)."""
    await fill(sdk)
    hits = await sdk.query([2, 0])
    assert [hit.id for hit in hits] == ["east", "northeast", "south", "north", "west"]
    assert [hit.score for hit in hits] == [1, DIAGONAL_SCORE, 0.5, 0.5, 0]
    assert hits[0] == QueryResult("east", 1.0)


async def test_top_k_and_the_parts_that_are_included(sdk: EitherIndex) -> None:
    await fill(sdk)
    options = {"include_vectors": True, "include_metadata": True, "include_data": True}
    assert await sdk.query([1, -0.001], top_k=1, **options) == [
        QueryResult("east", 0.9999998, [1.0, 0.0], {"n": 1}, "right")
    ]
    assert len(await sdk.query([1, 0], top_k=3)) == 3
    assert (await sdk.query([0, -1], top_k=1, include_data=True))[0].data is None


async def test_a_filter_narrows_before_the_best_are_taken(sdk: EitherIndex) -> None:
    """So as many as asked for are found."""
    await fill(sdk)
    hits = await sdk.query([1, 0], top_k=2, filter="n > 2 AND n != 5")
    assert [hit.id for hit in hits] == ["north", "west"]
    with pytest.raises(UpstashError, match="filter: cannot be read from 'n >' on"):
        await sdk.query([1, 0], filter="n >")


async def test_a_query_must_fit_the_index(sdk: EitherIndex, plane: LocalVector) -> None:
    with pytest.raises(UpstashError, match="Invalid vector dimension: 3, expected: 2"):
        await sdk.query([1, 0, 0])
    with pytest.raises(UpstashError, match="Embedding data for this index is not allowed"):
        await sdk.query(data="text")
    with pytest.raises(UpstashError, match="sparseVector, of sparse and hybrid indexes, is not emulated"):
        await sdk.query(sparse_vector=([1], [0.5]))
    for option in (
        {"weighting_strategy": WeightingStrategy.IDF},
        {"fusion_algorithm": FusionAlgorithm.RRF},
        {"query_mode": QueryMode.DENSE},
    ):
        with pytest.raises(UpstashError, match="of sparse and hybrid indexes, is not emulated"):
            await sdk.query([1, 0], **option)
    for top_k in (0, -1, "1", 1.5, True):
        assert plane.error("/query", {"vector": [1, 0], "topK": top_k})[0] == 400


async def test_several_queries_at_once(sdk: EitherIndex) -> None:
    """A list for each; for one query the server answers without the outer list, which the SDK knows."""
    await fill(sdk)
    queries = [{"vector": [1, 0], "top_k": 1}, {"vector": [0, 1], "top_k": 2, "filter": "n < 4", "include_data": True}]
    first, second = await sdk.query_many(queries=queries)
    assert first == [QueryResult("east", 1.0)]
    assert second == [QueryResult("east", 0.5, data="right"), QueryResult("west", 0.5)]
    assert await sdk.query_many(queries=queries[:1]) == [first]
    with pytest.raises(UpstashError, match="Invalid vector dimension"):
        await sdk.query_many(queries=[{"vector": [1, 0]}, {"vector": [1]}])
