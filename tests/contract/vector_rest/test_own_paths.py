"""What the server adds to the service: readiness, counters, faults, and an index that shows late what it took."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import TOKEN, LocalVector


def counters(server: LocalVector) -> dict[str, Any]:
    reading: dict[str, Any] = server.http.get("/admin/counters").json()
    return reading


def plan(server: LocalVector, **fields: Any) -> None:
    answer = server.post("/admin/faults", fields)
    assert answer.status_code == 200, answer.text


def test_readiness_needs_no_token(plane: LocalVector) -> None:
    answer = httpx.get(f"{plane.url}/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_the_counters_report_what_would_be_billed(plane: LocalVector) -> None:
    """A query or fetch is one, an upsert or delete counts per vector (vector-rest.md 9)."""
    before = counters(plane)
    assert counters(plane) == before
    plane.result("/upsert", [{"id": name, "vector": [1, 0]} for name in "abc"])
    plane.result("/query", {"vector": [1, 0]})
    plane.result("/query", [{"vector": [1, 0]}, {"vector": [1, 0]}])
    plane.result("/fetch", {"ids": ["a", "b"]})
    plane.result("/delete", ["a", "b"])
    plane.result("/info")
    assert plane.error("/query", {"vector": [1]})[0] == 422
    after = counters(plane)
    assert after["http_requests"] - before["http_requests"] == 7
    assert after["operations"] - before["operations"] == 9
    known = before["operations_by_name"]
    grown = {name: count - known.get(name, 0) for name, count in after["operations_by_name"].items()}
    expected = {"upsert": 3, "query": 3, "fetch": 1, "delete": 2}
    assert {name: count for name, count in grown.items() if count} == expected


def test_faults_are_off_unless_requested_and_what_is_no_plan_is_refused(plane: LocalVector, texts: LocalVector) -> None:
    assert texts.error("/admin/faults", {"refuse": 1}) == (404, "faults are off; start the server with --faults")
    plans: list[Any] = [{"refuse": True}, {"operations": "x"}, []]
    for wrong in plans:
        assert plane.error("/admin/faults", wrong)[0] == 400


def test_a_refused_request_was_not_executed(plane: LocalVector) -> None:
    """503 in JSON, as many times as planned."""
    plan(plane, refuse=2, only=["upsert"])
    assert plane.result("/fetch", {"ids": ["a"]}) == [None]
    for _ in range(2):
        assert plane.error("/upsert/ns", {"id": "a", "vector": [1, 0]})[0] == 503
    assert plane.result("/list-namespaces") == [""]
    assert plane.result("/upsert", {"id": "a", "vector": [1, 0]}) == "Success"


def test_a_dropped_answer_belongs_to_a_request_that_was_executed(plane: LocalVector) -> None:
    plan(plane, drop=1)
    with pytest.raises(httpx.RemoteProtocolError):
        plane.post("/upsert", {"id": "a", "vector": [1, 0]})
    assert plane.result("/fetch", {"ids": ["a"]}) == [{"id": "a"}]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_sdk_repeats_a_request_whose_answer_was_lost(plane: LocalVector, kind: str) -> None:
    """An upsert may be repeated; the count of a delete is then that of the second try (vector-rest.md 1)."""
    client = EitherIndex(kind, plane.url, TOKEN, retries=1)
    plan(plane, drop=1)
    assert await client.upsert([("a", [1, 0])]) == "Success"
    plan(plane, drop=1)
    assert (await client.delete(["a"])).deleted == 0
    assert await client.fetch(["a"]) == [None]
    await client.close()


def test_answers_can_be_delayed(plane: LocalVector) -> None:
    plan(plane, delay_seconds=0.2, delay=1)
    began = time.monotonic()
    plane.result("/info")
    assert time.monotonic() - began >= 0.2
    assert plane.http.get("/admin/faults").json()["delay"] == 0
    plan(plane)


def test_a_new_vector_is_fetched_at_once_and_found_later(tmp_path: Path) -> None:
    """As with the hosted service; meanwhile it is pending (vector-rest.md 6)."""

    def state() -> tuple[list[str], int, int]:
        info = server.result("/info")
        assert info["namespaces"][""] == {name: info[name] for name in ("vectorCount", "pendingVectorCount")}
        found = [hit["id"] for hit in server.result("/query", {"vector": [1, 0]})]
        return found, info["vectorCount"], info["pendingVectorCount"]

    with LocalVector(tmp_path, "--dimension", "2", "--index-delay-ms", "1000") as server:
        server.result("/upsert", {"id": "a", "vector": [1, 0]})
        assert state() == ([], 0, 1)
        assert server.result("/fetch", {"ids": ["a"]}) == [{"id": "a"}]
        give_up_at = time.monotonic() + 120
        while state()[2]:
            assert time.monotonic() < give_up_at
            time.sleep(0.03)
        assert state() == (["a"], 1, 0)
