"""The SDK's namespaces, reset and info."""

import pytest
from upstash_vector.errors import ClientError, UpstashError
from upstash_vector.types import DenseIndexInfo, InfoResult, NamespaceInfo

from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import LocalVector


async def test_an_upsert_makes_its_namespace_and_stays_in_it(sdk: EitherIndex) -> None:
    await sdk.upsert([("a", [1, 0])])
    await sdk.upsert([("a", [0, 1])], namespace="ns")
    assert await sdk.list_namespaces() == ["", "ns"]
    assert (await sdk.fetch(["a"], include_vectors=True))[0].vector == [1.0, 0.0]
    assert (await sdk.fetch(["a"], namespace="ns", include_vectors=True))[0].vector == [0.0, 1.0]
    assert [hit.score for hit in await sdk.query([0, 1], namespace="ns")] == [1]
    assert (await sdk.delete(["a"], namespace="ns")).deleted == 1
    assert [record.id for record in await sdk.fetch(prefix="a")] == ["a"]


@pytest.mark.parametrize("name", ["with space", "ünïcode", "a/b", "50%", "a.b:c-d_e"])
async def test_names_are_taken_as_they_are(sdk: EitherIndex, name: str) -> None:
    await sdk.upsert([("a", [1, 0])], namespace=name.replace("%", "%25"))
    assert await sdk.list_namespaces() == ["", name]
    await sdk.delete_namespace(name.replace("%", "%25"))


async def test_an_unknown_namespace_reads_as_an_empty_one(sdk: EitherIndex) -> None:
    """And is not made by reading or resetting (vector-rest.md 3)."""
    assert await sdk.query([1, 0], namespace="no") == []
    assert await sdk.fetch(["a"], namespace="no") == [None]
    assert (await sdk.delete(["a"], namespace="no")).deleted == 0
    assert await sdk.reset(namespace="no") == "Success"
    assert await sdk.list_namespaces() == [""]


async def test_reset_empties_and_keeps_namespaces(sdk: EitherIndex) -> None:
    for namespace in ("", "one", "two"):
        await sdk.upsert([("a", [1, 0])], namespace=namespace)
    assert await sdk.reset() == "Success"
    assert await sdk.reset(namespace="one") == "Success"
    counts = {name: info.vector_count for name, info in (await sdk.info()).namespaces.items()}
    assert counts == {"": 0, "one": 0, "two": 1}
    assert await sdk.reset(all=True) == "Success"
    assert (await sdk.info()).vector_count == 0
    assert await sdk.list_namespaces() == ["", "one", "two"]


async def test_deleting_a_namespace(sdk: EitherIndex, plane: LocalVector) -> None:
    await sdk.upsert([("a", [1, 0])], namespace="ns")
    assert await sdk.delete_namespace("ns") is None
    assert await sdk.list_namespaces() == [""]
    assert await sdk.fetch(["a"], namespace="ns") == [None]
    with pytest.raises(UpstashError, match="Namespace ns for the index local does not exist"):
        await sdk.delete_namespace("ns")
    assert plane.error("/delete-namespace/ns")[0] == 404
    with pytest.raises((ClientError, UpstashError)):  # the async client asks nobody
        await sdk.delete_namespace("")
    assert plane.error("/delete-namespace") == plane.error("/delete-namespace/")
    assert plane.error("/delete-namespace")[0] == 422


async def test_info_has_every_figure_that_the_sdk_reads(sdk: EitherIndex, plane: LocalVector) -> None:
    """Without a default for any (vector-rest.md 4); and one that it does not read."""
    await sdk.upsert([("a", [1, 0]), ("b", [1, 0])])
    await sdk.upsert([("a", [1, 0])], namespace="ns")
    await sdk.reset(namespace="ns")
    assert plane.result("/info")["indexType"] == "DENSE"
    assert "sparseIndex" not in plane.result("/info")
    assert await sdk.info() == InfoResult(
        vector_count=2,
        pending_vector_count=0,
        index_size=16,
        dimension=2,
        similarity_function="COSINE",
        dense_index=DenseIndexInfo(2, "COSINE", ""),
        sparse_index=None,
        namespaces={"": NamespaceInfo(2, 0), "ns": NamespaceInfo(0, 0)},
    )
