"""The SDK's upsert, fetch, delete."""

import pytest
from upstash_vector import Vector
from upstash_vector.errors import UpstashError
from upstash_vector.types import Data, FetchResult, SparseVector

from tests.contract.coverage.either import EitherIndex

EVERYTHING = {"include_vectors": True, "include_metadata": True, "include_data": True}


async def test_every_form_of_a_record_is_stored_as_sent(sdk: EitherIndex) -> None:
    shown = await sdk.upsert(
        [
            ("a", [0.1, 0.2], {"k": [1, None, True, "é"]}, "text"),
            {"id": "b", "vector": [3, 4], "metadata": {"k": 1}},
            Vector(id=7, vector=[-1e-3, 1e5]),
        ]
    )
    assert shown == "Success"
    assert await sdk.fetch(["7", "missing", "a", "b"], **EVERYTHING) == [
        FetchResult("7", [-1e-3, 1e5]),
        None,
        FetchResult("a", [0.1, 0.2], {"k": [1, None, True, "é"]}, "text"),
        FetchResult("b", [3.0, 4.0], {"k": 1}),
    ]
    assert await sdk.fetch("a") == [FetchResult("a")]


async def test_an_upsert_replaces_the_whole_record(sdk: EitherIndex) -> None:
    """A field that is not sent is gone (vector-rest.md 2)."""
    await sdk.upsert([("a", [1, 0], {"k": 1}, "text"), ("b", [0, 1])])
    await sdk.upsert([("a", [0, 1])])
    assert await sdk.fetch(["a"], **EVERYTHING) == [FetchResult("a", [0.0, 1.0])]
    assert [hit.id for hit in await sdk.query([0, 1])] == ["a", "b"]  # it kept its place
    await sdk.upsert([("c", [1, 0]), ("c", [0, 1])])  # of one id in a batch the last counts
    assert await sdk.fetch(prefix="c", include_vectors=True) == [FetchResult("c", [0.0, 1.0])]


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([("a", [1, 2]), ("b", [1, 2, 3])], "Invalid vector dimension: 3, expected: 2"),
        ([("a", [1, 2]), ("", [1, 2])], "length >= 1 - at `.*id`"),
        ([("a", [1, 2]), ("b", [1, "2"])], "Expected `float`, got `str` - at `.*vector"),
        ([("a", [1, 2]), ("b", [1, True])], "Expected `float`, got `bool` - at `.*vector"),
        ([("a", [1, 2]), ("b", [1, 1e300])], "beyond what single precision can hold"),
        ([("a", [1, 2]), ("b", [1, 10**400])], "body: Number out of range"),
        (
            [("a", [1, 2]), ("b", SparseVector([1], [1.0]))],
            "sparseVector, of sparse and hybrid indexes, is not emulated",
        ),
        ([("a", [1, 2]), ("b", [1, 2], {"x": "y" * 50_000})], "are over the limit of 49152"),
        ([Data("a", "text")], "Embedding data for this index is not allowed"),
    ],
)
async def test_a_batch_with_a_fault_stores_nothing(sdk: EitherIndex, records: list[object], text: str) -> None:
    """It is checked whole first (vector-rest.md 3)."""
    with pytest.raises(UpstashError, match=text):
        await sdk.upsert(records)
    assert await sdk.fetch(["a"]) == [None]


async def test_fetching_by_prefix(sdk: EitherIndex) -> None:
    await sdk.upsert([(name, [1, 0]) for name in ("u-2", "v", "u-1")])
    assert [record.id for record in await sdk.fetch(prefix="u-")] == ["u-2", "u-1"]
    assert await sdk.fetch(prefix="w") == []
    with pytest.raises(UpstashError, match="one of ids, prefix, not ids and prefix"):
        await sdk.fetch(["v"], prefix="u")
    with pytest.raises(UpstashError, match="not none of them"):
        await sdk.fetch()


async def test_fetching_by_prefix_gives_at_most_a_thousand(sdk: EitherIndex) -> None:
    """Range gives the rest (vector-rest.md 3)."""
    await sdk.upsert([(f"u{number}", [1, 0]) for number in range(1_001)])
    assert len(await sdk.fetch(prefix="u")) == 1_000


async def test_deleting_by_ids_prefix_and_filter(sdk: EitherIndex) -> None:
    await sdk.upsert([(f"{kind}-{number}", [1, 0], {"n": number}) for kind in "ab" for number in range(4)])
    assert (await sdk.delete(["a-0", "a-0", "missing"])).deleted == 1
    assert (await sdk.delete("a-1")).deleted == 1
    assert (await sdk.delete(prefix="a-")).deleted == 2
    assert (await sdk.delete(filter="n >= 2")).deleted == 2
    assert (await sdk.delete(prefix="zzz")).deleted == 0
    assert [record.id for record in await sdk.fetch(prefix="b")] == ["b-0", "b-1"]


@pytest.mark.parametrize("wanted", [{}, {"prefix": ""}, {"filter": ""}, {"filter": " "}, {"ids": ["a"], "prefix": "a"}])
async def test_a_delete_says_exactly_what(sdk: EitherIndex, wanted: dict[str, object]) -> None:
    await sdk.upsert([("a", [1, 0])])
    with pytest.raises(UpstashError):
        await sdk.delete(**wanted)
    assert await sdk.fetch(["a"]) == [FetchResult("a")]
