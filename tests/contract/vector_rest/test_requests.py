"""Requests as they are on the wire: tokens, methods, paths, bodies (vector-rest.md 1)."""

import http.client
import json
from typing import Any

import httpx
import pytest
from upstash_vector.errors import UpstashError

from baton_local.vector.app import LEFT_OUT
from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import TOKEN, LocalVector


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer ü"])
def test_without_the_token_nothing_is_served(plane: LocalVector, authorization: str | None) -> None:
    headers = [] if authorization is None else [(b"Authorization", authorization.encode())]
    for path in ("/info", "/upsert", "/no/such/path", "/admin/counters", "/admin/faults", "/"):
        answer = httpx.post(f"{plane.url}{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"error": "Unauthorized: Invalid auth token", "status": 401}


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_sdk_raises_what_the_server_says(plane: LocalVector, kind: str) -> None:
    """Here of methods that no argument can make fail."""
    client = EitherIndex(kind, plane.url, "wrong")
    for name, given in (("info", ()), ("reset", ()), ("list_namespaces", ()), ("fetch", ("a",))):
        with pytest.raises(UpstashError, match="Unauthorized: Invalid auth token"):
            await getattr(client, name)(*given)
    await client.close()


@pytest.mark.parametrize("operation", LEFT_OUT)
def test_what_is_left_out_is_answered_501_by_its_name(plane: LocalVector, operation: str) -> None:
    for path in (f"/{operation}", f"/{operation}/ns"):
        assert plane.error(path, {"id": "a"}) == (
            501,
            f"/{operation} is not emulated locally; the hosted service has it",
        )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_documented_methods_are_all_the_same(plane: LocalVector, method: str) -> None:
    """The documentation shows other methods than the SDK sends."""
    record = {"id": "a", "vector": [1, 0]}
    assert plane.http.request(method, "/upsert", json=record).json() == {"result": "Success"}
    assert plane.http.request(method, "/fetch", json={"ids": ["a"]}).json() == {"result": [{"id": "a"}]}
    assert plane.http.request(method, "/reset").json() == {"result": "Success"}


@pytest.mark.parametrize("path", ["/", "/upsertx", "/UPSERT"])
def test_unknown_paths_are_named(plane: LocalVector, path: str) -> None:
    """With what there is."""
    status, text = plane.error(path)
    assert status == 404
    assert text.startswith(f"{path} does not exist; there are /upsert, ")


def test_a_slash_too_many_harms_nothing(plane: LocalVector) -> None:
    """As when the URL in the environment ends with one; what is no UTF-8 is no name."""
    assert plane.http.post(f"{plane.url}//info").status_code == 200
    assert plane.result("/list-namespaces/") == [""]
    assert plane.result("/fetch/", {"ids": ["a"]}) == [None]
    assert plane.error("/fetch/%ff", {"ids": ["a"]})[0] == 400


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"vector": [NaN, 1]}', b"[" * 100_000])
@pytest.mark.parametrize("operation", ["upsert", "query", "fetch", "delete"])
def test_what_is_not_json_is_refused(plane: LocalVector, operation: str, body: bytes) -> None:
    answer = plane.http.post(f"/{operation}", content=body)
    assert answer.status_code == answer.json()["status"] == 400
    assert answer.json()["error"].startswith("body: ")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("upsert", None),
        ("upsert", [None]),
        ("upsert", [["a", [1, 2]]]),
        ("upsert", {"vector": [1, 2]}),
        ("upsert", {"id": 1.5, "vector": [1, 2]}),
        ("upsert", {"id": "\ud800", "vector": [1, 2]}),
        ("upsert", {"id": "a", "vector": {"0": 1}}),
        ("upsert", {"id": "a", "vector": [None, 1]}),
        ("upsert", {"id": "a", "vector": [1, 2], "metadata": []}),
        ("upsert", {"id": "a", "vector": [1, 2], "data": 5}),
        ("query", {"vector": "x"}),
        ("query", {"vector": [1, 2], "includeData": 1}),
        ("query", {"vector": [1, 2], "filter": 5}),
        ("query", [{"vector": [1, 2]}, 5]),
        ("fetch", {"ids": "a"}),
        ("fetch", {"ids": [None]}),
        ("fetch", {"prefix": 5}),
        ("fetch", []),
        ("delete", [None]),
    ],
)
def test_bodies_of_the_wrong_form_are_refused(plane: LocalVector, operation: str, body: Any) -> None:
    status, text = plane.error(f"/{operation}", body)
    assert status == 400
    assert ": " in text


def test_null_counts_as_absent_and_unknown_fields_are_let_pass(plane: LocalVector) -> None:
    record = {"id": "a", "vector": [1, 2], "sparseVector": None, "metadata": None, "data": None, "future": 1}
    assert plane.result("/upsert", record) == "Success"
    everything = {"includeVectors": True, "includeMetadata": True, "includeData": True}
    assert plane.result("/fetch", {"ids": ["a"], **everything}) == [{"id": "a", "vector": [1.0, 2.0]}]
    hits = plane.result("/query", {"vector": [1, 2], "topK": None, "filter": None, "includeData": None})
    assert hits == [{"id": "a", "score": 1.0}]
    assert (plane.result("/upsert/ns", []), plane.result("/query", [])) == ("Success", [])
    assert plane.result("/list-namespaces") == [""], "an empty batch makes no namespace"


def test_metadata_come_back_as_they_were(plane: LocalVector) -> None:
    """Except for numbers that are none, and what is too deep."""
    metadata: dict[str, Any] = {"": {"é": [1.5, -0.0, 10**30, True, None, {"x": []}]}}
    plane.result("/upsert", {"id": "a", "vector": [1, 2], "metadata": metadata})
    assert plane.result("/fetch", {"ids": ["a"], "includeMetadata": True})[0]["metadata"] == metadata
    too_large = b'{"id": "a", "vector": [1, 2], "metadata": {"n": 1e999}}'
    assert plane.http.post("/upsert", content=too_large).status_code == 400
    too_deep = b'{"id": "a", "vector": [1, 2], "metadata": {"n": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}"
    assert plane.http.post("/upsert", content=too_deep).status_code == 400


def test_a_body_over_the_limit_is_refused(plane: LocalVector) -> None:
    address = httpx.URL(plane.url)
    connection = http.client.HTTPConnection(address.host, address.port or 0, timeout=120)
    connection.putrequest("POST", "/upsert")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Content-Length", str(200 * 1024 * 1024))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (413, 413)
    connection.close()
