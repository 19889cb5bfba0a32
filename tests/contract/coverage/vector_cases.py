"""A case for every public method of the Python SDK's vector index: a success and an error.

Each finds two records in the default namespace, `apple` and `plum`, and one in the namespace `ns`, `car`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.contract.coverage.either import Either, EitherIndex

DIMENSION = 384
RECORDS = [
    {"id": "apple", "data": "a red apple", "metadata": {"kind": "fruit", "price": 2}},
    {"id": "plum", "data": "a blue plum", "metadata": {"kind": "fruit", "price": 3}},
]
ELSEWHERE = {"id": "car", "data": "a red car", "metadata": {"kind": "thing"}}
UNAUTHORISED = "Unauthorized"
NO_FILTER = "price ="

Step = Callable[[EitherIndex], Awaitable[Any]]


@dataclass(frozen=True)
class VectorCase:
    """`succeeds` calls the method and looks at what came of it; `fails` calls it so that `error` is in the error."""

    succeeds: Step
    fails: Step
    error: str = UNAUTHORISED


def unit(position: int) -> list[float]:
    """A vector that is 1 in one place."""
    return [float(each == position) for each in range(DIMENSION)]


async def upsert(index: EitherIndex) -> None:
    """As text and as numbers."""
    assert await index.upsert([("v", unit(1), {"n": 1}, "text"), {"id": "w", "vector": unit(2)}]) == "Success"
    assert await index.upsert([{"id": "t", "data": "some text"}], namespace="ns") == "Success"
    (stored,) = await index.fetch("v", include_vectors=True, include_metadata=True, include_data=True)
    assert (stored.vector, stored.metadata, stored.data) == (unit(1), {"n": 1}, "text")


async def query(index: EitherIndex) -> None:
    """Nearest first, filtered, with what was asked for."""
    hits = await index.query(data="a red apple", top_k=2, include_metadata=True, include_data=True)
    assert [hit.id for hit in hits] == ["apple", "plum"]
    assert (hits[0].score, hits[0].data) == (1, "a red apple")
    assert [hit.id for hit in await index.query(data="x", filter="price > 2")] == ["plum"]


async def query_many(index: EitherIndex) -> None:
    """One list of hits a query."""
    queries = [{"data": "red apple", "top_k": 1}, {"data": "blue plum", "top_k": 1}]
    found = await index.query_many(queries=queries)
    assert [[hit.id for hit in hits] for hits in found] == [["apple"], ["plum"]]


async def resumable_query(index: EitherIndex) -> None:
    """The first hits and a handle."""
    hits, handle = await index.resumable_query(data="red apple", top_k=1)
    assert [hit.id for hit in hits] == ["apple"]
    await Either(handle).stop()


async def fetch_next(index: EitherIndex) -> None:
    """The rest, nothing twice."""
    _, handle = await index.resumable_query(data="red apple", top_k=1)
    assert [hit.id for hit in await Either(handle).fetch_next(5)] == ["plum"]
    assert await Either(handle).fetch_next(5) == []
    await Either(handle).stop()


async def after_stop(index: EitherIndex, method: str, *given: Any) -> None:
    """A handle that has ended."""
    _, handle = await index.resumable_query(data="red apple", top_k=1)
    await Either(handle).stop()
    await getattr(Either(handle), method)(*given)


async def fetch(index: EitherIndex) -> None:
    """In the order asked for, with gaps; by prefix."""
    found = await index.fetch(["plum", "none", "apple"], include_metadata=True)
    assert [each and each.metadata["price"] for each in found] == [3, None, 2]
    assert [each.id for each in await index.fetch(prefix="ap")] == ["apple"]


async def delete(index: EitherIndex) -> None:
    """By id, by prefix, by filter."""
    assert (await index.delete(["none"])).deleted == 0
    assert (await index.delete(prefix="ap")).deleted == 1
    assert (await index.delete(filter="kind = 'fruit'")).deleted == 1


async def update(index: EitherIndex) -> None:
    """Says whether the record was there."""
    assert await index.update("apple", metadata={"price": 9})
    assert not await index.update("none", metadata={"price": 9})
    (stored,) = await index.fetch("apple", include_metadata=True)
    assert stored.metadata == {"price": 9}


async def range_(index: EitherIndex) -> None:
    """Page by page."""
    first = await index.range(cursor="", limit=1)
    rest = await index.range(cursor=first.next_cursor, limit=1)
    assert [each.id for each in first.vectors + rest.vectors] == ["apple", "plum"]
    assert rest.next_cursor == ""


async def reset(index: EitherIndex) -> None:
    """One namespace, then all."""
    assert await index.reset() == "Success"
    assert (await index.info()).vector_count == 1
    assert await index.reset(all=True) == "Success"
    assert (await index.info()).vector_count == 0


async def info(index: EitherIndex) -> None:
    """Counts by namespace, the dimension and how likeness is measured."""
    found = await index.info()
    assert (found.vector_count, found.pending_vector_count, found.dimension) == (3, 0, DIMENSION)
    assert {name: each.vector_count for name, each in found.namespaces.items()} == {"": 2, "ns": 1}
    assert found.similarity_function == "COSINE"


async def list_namespaces(index: EitherIndex) -> None:
    """The default one first."""
    assert await index.list_namespaces() == ["", "ns"]


async def delete_namespace(index: EitherIndex) -> None:
    """It is gone."""
    await index.delete_namespace("ns")
    assert await index.list_namespaces() == [""]


CASES: Mapping[str, VectorCase] = {
    "Index.upsert": VectorCase(upsert, lambda index: index.upsert([("v", [1.0, 2.0])]), "dimension"),
    "Index.query": VectorCase(query, lambda index: index.query(data="x", filter=NO_FILTER), "filter"),
    "Index.query_many": VectorCase(
        query_many, lambda index: index.query_many(queries=[{"vector": [1.0]}, {"vector": [1.0]}]), "dimension"
    ),
    "Index.resumable_query": VectorCase(resumable_query, lambda index: index.resumable_query([1.0]), "dimension"),
    "Index.fetch": VectorCase(fetch, lambda index: index.fetch("apple")),
    "Index.delete": VectorCase(delete, lambda index: index.delete(filter=NO_FILTER), "filter"),
    "Index.update": VectorCase(update, lambda index: index.update("apple", [1.0]), "dimension"),
    "Index.range": VectorCase(range_, lambda index: index.range(cursor="nonsense"), "cursor"),
    "Index.reset": VectorCase(reset, lambda index: index.reset()),
    "Index.info": VectorCase(info, lambda index: index.info()),
    "Index.list_namespaces": VectorCase(list_namespaces, lambda index: index.list_namespaces()),
    "Index.delete_namespace": VectorCase(
        delete_namespace, lambda index: index.delete_namespace("none"), "does not exist"
    ),
    "ResumableQueryHandle.fetch_next": VectorCase(
        fetch_next, lambda index: after_stop(index, "fetch_next", 5), "has ended"
    ),
    "ResumableQueryHandle.stop": VectorCase(resumable_query, lambda index: after_stop(index, "stop"), "has ended"),
}
