"""The SDK's upsert, fetch, update, delete, range."""

import pytest
from upstash_vector import Vector
from upstash_vector.errors import ClientError, UpstashError
from upstash_vector.types import Data, FetchResult, MetadataUpdateMode, SparseVector

from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import LocalVector

EVERYTHING = {"include_vectors": True, "include_metadata": True, "include_data": True}


async def test_every_form_of_a_record_is_stored_as_sent(sdk: EitherIndex) -> None:
    shown = await sdk.upsert(
        [
            ("a", [0.1, 0.2], {"k": [1, None, True, "é"]}, "text"),
            {"id": "b", "vector": [3, 4], "metadata": {"k": 1}},
            Vector(id=7, vector=[-1e-3, 1e5]),
        ],
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
    page = await sdk.range(limit=9)
    assert [record.id for record in page.vectors] == ["a", "b"]  # it kept its place
    await sdk.upsert([("c", [1, 0]), ("c", [0, 1])])  # of one id in a batch the last counts
    assert await sdk.fetch(prefix="c", include_vectors=True) == [FetchResult("c", [0.0, 1.0])]


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([("a", [1, 2]), ("b", [1, 2, 3])], "Invalid vector dimension: 3, expected: 2"),
        ([("a", [1, 2]), ("", [1, 2])], "id: must not be empty"),
        ([("a", [1, 2]), ("b", [1, "2"])], "vector: must be an array of numbers"),
        ([("a", [1, 2]), ("b", [1, True])], "vector: must be an array of numbers"),
        ([("a", [1, 2]), ("b", [1, 1e300])], "beyond what single precision can hold"),
        ([("a", [1, 2]), ("b", [1, 10**400])], "beyond what single precision can hold"),
        ([("a", [1, 2]), ("b", SparseVector([1], [1.0]))], "sparseVector: this is a dense index"),
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


async def test_updating_parts_of_a_record(sdk: EitherIndex) -> None:
    """What is not given stays; what is not known is made neither a record nor a namespace."""
    assert await sdk.update("a", vector=[0, 1]) is False
    assert await sdk.update("a", vector=[0, 1], namespace="ns") is False
    assert await sdk.list_namespaces() == [""]
    await sdk.upsert([("a", [1, 0], {"k": 1, "l": {"m": 1, "n": 2}}, "text")])
    assert await sdk.update("a", vector=[0, 1]) is True
    assert await sdk.update("a", data="new text") is True
    patch = MetadataUpdateMode.PATCH
    assert await sdk.update("a", metadata={"k": None, "l": {"n": 3}}, metadata_update_mode=patch) is True
    assert await sdk.fetch(["a"], **EVERYTHING) == [FetchResult("a", [0.0, 1.0], {"l": {"m": 1, "n": 3}}, "new text")]
    assert await sdk.update("a", metadata={"only": "this"}) is True
    assert (await sdk.fetch(["a"], include_metadata=True))[0].metadata == {"only": "this"}


async def test_a_wrong_update_is_refused(sdk: EitherIndex) -> None:
    await sdk.upsert([("a", [1, 0], {"k": "x" * 40_000})])
    with pytest.raises(UpstashError, match="Invalid vector dimension: 1, expected: 2"):
        await sdk.update("a", vector=[1])
    with pytest.raises(UpstashError, match="dense index"):
        await sdk.update("a", sparse_vector=([1], [1.0]))
    patch = MetadataUpdateMode.PATCH
    with pytest.raises(UpstashError, match="over the limit"):
        await sdk.update("a", metadata={"l": "x" * 40_000}, metadata_update_mode=patch)
    (record,) = await sdk.fetch(["a"], **EVERYTHING)
    assert record.vector == [1.0, 0.0]
    assert list(record.metadata) == ["k"]


async def test_deleting_by_ids_prefix_and_filter(sdk: EitherIndex) -> None:
    await sdk.upsert([(f"{kind}-{number}", [1, 0], {"n": number}) for kind in "ab" for number in range(4)])
    assert (await sdk.delete(["a-0", "a-0", "missing"])).deleted == 1
    assert (await sdk.delete("a-1")).deleted == 1
    assert (await sdk.delete(prefix="a-")).deleted == 2
    assert (await sdk.delete(filter="n >= 2")).deleted == 2
    assert (await sdk.delete(prefix="zzz")).deleted == 0
    assert [record.id for record in (await sdk.range(limit=9)).vectors] == ["b-0", "b-1"]


@pytest.mark.parametrize("wanted", [{}, {"prefix": ""}, {"filter": ""}, {"filter": " "}, {"ids": ["a"], "prefix": "a"}])
async def test_a_delete_says_exactly_what(sdk: EitherIndex, wanted: dict[str, object]) -> None:
    await sdk.upsert([("a", [1, 0])])
    with pytest.raises(UpstashError):
        await sdk.delete(**wanted)
    assert await sdk.fetch(["a"]) == [FetchResult("a")]


@pytest.mark.parametrize("first_cursor", ["", "0"])
async def test_paging_ends_with_an_empty_cursor(sdk: EitherIndex, first_cursor: str) -> None:
    """Also when the last page was exactly full (vector-rest.md 3)."""
    await sdk.upsert([(str(number), [1, 0], {"n": number}, "d") for number in range(6)])
    found, cursor, pages = [], first_cursor, 0
    while pages == 0 or cursor:
        page = await sdk.range(cursor=cursor, limit=3, **EVERYTHING)
        found += page.vectors
        cursor = page.next_cursor
        pages += 1
    assert pages == 2
    assert found == [FetchResult(str(number), [1.0, 0.0], {"n": number}, "d") for number in range(6)]


async def test_paging_by_prefix(sdk: EitherIndex) -> None:
    await sdk.upsert([(f"{'ab'[number % 2]}{number}", [1, 0]) for number in range(8)])
    first = await sdk.range(limit=3, prefix="b")
    second = await sdk.range(cursor=first.next_cursor, limit=3, prefix="b")
    assert [record.id for page in (first, second) for record in page.vectors] == ["b1", "b3", "b5", "b7"]
    assert second.next_cursor == ""
    assert await sdk.range(limit=3, prefix="c") == type(first)("", [])


async def test_a_cursor_that_no_page_gave_is_refused(sdk: EitherIndex, plane: LocalVector) -> None:
    with pytest.raises(UpstashError, match="cursor: must be"):
        await sdk.range(cursor="x", limit=1)
    with pytest.raises(ClientError):
        await sdk.range(limit=0)
    for limit in (0, -1, 1.5, True, None, "1"):
        assert plane.error("/range", {"cursor": "0", "limit": limit})[0] == 400
