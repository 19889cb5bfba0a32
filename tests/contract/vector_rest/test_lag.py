"""A server that indexes late, as the hosted service does (vector-rest.md 6)."""

import time
from typing import Any

from tests.contract.vector_rest.conftest import DELAY_MS
from tests.contract.vector_rest.local_vector import LocalVector


def ids(server: LocalVector, vector: list[float] | None = None, **more: Any) -> list[str]:
    return [hit["id"] for hit in server.result("/query", {"vector": vector or [1, 0], **more})]


def counts(server: LocalVector) -> tuple[int, int]:
    info = server.result("/info")
    assert info["namespaces"][""] == {name: info[name] for name in ("vectorCount", "pendingVectorCount")}
    return info["vectorCount"], info["pendingVectorCount"]


def settle(server: LocalVector) -> None:
    give_up_at = time.monotonic() + 120
    while counts(server)[1]:
        assert time.monotonic() < give_up_at
        time.sleep(DELAY_MS / 10_000)


def test_a_new_vector_is_fetched_at_once_and_found_later(lagging: LocalVector) -> None:
    lagging.result("/upsert", {"id": "a", "vector": [1, 0]})
    assert (ids(lagging), counts(lagging)) == ([], (0, 1))
    assert lagging.result("/fetch", {"ids": ["a"]}) == [{"id": "a"}]
    assert [record["id"] for record in lagging.result("/range", {"cursor": "0", "limit": 5})["vectors"]] == ["a"]
    settle(lagging)
    assert (ids(lagging), counts(lagging)) == (["a"], (1, 0))
