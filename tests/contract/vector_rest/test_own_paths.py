"""What the server adds to the service: readiness, counters, faults."""

import time
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
    """A query, fetch or range is one, an upsert or delete counts per vector (vector-rest.md 9)."""
    before = counters(plane)
    assert counters(plane) == before
    plane.result("/upsert", [{"id": name, "vector": [1, 0]} for name in "abc"])
    plane.result("/query", {"vector": [1, 0]})
    plane.result("/query", [{"vector": [1, 0]}, {"vector": [1, 0]}])
    plane.result("/fetch", {"ids": ["a", "b"]})
    plane.result("/range", {"cursor": "0", "limit": 9})
    plane.result("/delete", ["a", "b"])
    plane.result("/info")
    assert plane.error("/query", {"vector": [1]})[0] == 422
    after = counters(plane)
    assert after["http_requests"] - before["http_requests"] == 8
    assert after["operations"] - before["operations"] == 10
    grown = {
        name: count - before["operations_by_name"].get(name, 0) for name, count in after["operations_by_name"].items()
    }
    assert {name: count for name, count in grown.items() if count} == {
        "upsert": 3,
        "query": 3,
        "fetch": 1,
        "range": 1,
        "delete": 2,
    }


def test_faults_are_off_unless_requested(texts: LocalVector) -> None:
    assert texts.error("/admin/faults", {"refuse": 1}) == (404, "faults are off; start the server with --faults")


def test_a_refused_request_was_not_executed(plane: LocalVector) -> None:
    plan(plane, refuse=2, operations=["upsert"])
    assert plane.result("/fetch", {"ids": ["a"]}) == [None]
    for _ in range(2):
        assert plane.error("/upsert/ns", {"id": "a", "vector": [1, 0]})[0] == 503
    assert plane.result("/list-namespaces") == [""]
    assert plane.result("/upsert", {"id": "a", "vector": [1, 0]}) == "Success"


def test_a_dropped_answer_belongs_to_a_request_that_was_executed(plane: LocalVector) -> None:
    plan(plane, drop_answers=1)
    with pytest.raises(httpx.RemoteProtocolError):
        plane.post("/upsert", {"id": "a", "vector": [1, 0]})
    assert plane.result("/fetch", {"ids": ["a"]}) == [{"id": "a"}]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_sdk_repeats_a_request_whose_answer_was_lost(plane: LocalVector, kind: str) -> None:
    """An upsert may be repeated; the count of a delete is then that of the second try (vector-rest.md 1)."""
    client = EitherIndex(kind, plane.url, TOKEN, retries=1)
    plan(plane, drop_answers=1)
    assert await client.upsert([("a", [1, 0])]) == "Success"
    plan(plane, drop_answers=1)
    assert (await client.delete(["a"])).deleted == 0
    assert await client.fetch(["a"]) == [None]
    await client.close()


def test_answers_can_be_delayed(plane: LocalVector) -> None:
    plan(plane, delay_seconds=0.2, delay_answers=1)
    began = time.monotonic()
    plane.result("/info")
    assert time.monotonic() - began >= 0.2
    assert plane.http.get("/admin/faults").json()["delay_answers"] == 0
    plan(plane)


@pytest.mark.parametrize(
    "body", ['{"nosuch": 1}', '{"refuse": -1}', '{"refuse": true}', '{"operations": "x"}', "[]", "x"]
)
def test_a_wrong_fault_plan_is_refused(plane: LocalVector, body: str) -> None:
    answer = plane.http.post("/admin/faults", content=body)
    assert answer.status_code == answer.json()["status"] == 400
