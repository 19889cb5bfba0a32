import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.baton_local.qstash.served import OTHER_TOKEN, TOKEN, Served

URL = "https://example.com/hook"


async def test_options_may_come_by_query_and_never_reach_the_destination(server: Served) -> None:
    """A real header wins; the token by query authorises and disappears."""
    client = server.client
    del client.headers["Authorization"]
    path = f"/v2/publish/{URL}?qstash_token={TOKEN}&upstash-retries=9&upstash-label=q&x=1&Upstash-Method=PUT"
    response = await client.post(path, headers={"Upstash-Retries": "2"})
    await server.settle()
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    message = await server.call("GET", f"/v2/messages/{response.json()['messageId']}")
    assert (message["maxRetries"], message["label"], message["method"]) == (2, "q", "PUT")
    assert server.sent[0].url == f"{URL}?x=1"


async def test_batch_takes_null_body_queue_and_headers(server: Served) -> None:
    """What the Python SDK sends for absent values; methods and bodies go through."""
    items: list[dict[str, Any]] = [
        {"destination": URL, "headers": {"Upstash-Method": "GET"}, "body": "with body", "queue": None},
        {"destination": URL, "headers": None, "body": None},
        {"destination": URL, "queue": "q", "body": "queued"},
        {"destination": "no-group"},
        {"body": "x"},
        {"destination": URL, "body": {"not": "text"}},
        {"destination": URL, "headers": {"Upstash-Retries": 3}},
        {"destination": URL, "body": "\ud800"},
    ]
    answer = await server.call("POST", "/v2/batch", content=json.dumps(items))
    await server.settle()
    assert [sorted(item) for item in answer] == [["messageId"]] * 3 + [["error"]] * 5
    assert [(request.method, request.body) for request in server.sent] == [
        ("GET", b"with body"),
        ("POST", b""),
        ("POST", b"queued"),
    ]


@pytest.mark.parametrize("body", ["", "{}", "[1]", "nope", "[" * 100_000, '[{"destination": "https://h"'])
async def test_malformed_batch_is_400_as_a_whole(server: Served, body: str) -> None:
    response = await server.client.post("/v2/batch", content=body)
    assert response.status_code == 400
    assert "error" in response.json()
    await server.settle()
    assert not server.sent


@pytest.mark.parametrize(
    "item", [{"destination": "https://h/", "headers": {"Upstash-Workflow-RunId": "wfr_1"}}, {"destination": "api/llm"}]
)
async def test_batch_with_what_is_not_served_is_501_as_a_whole(server: Served, item: dict[str, object]) -> None:
    """The workflow SDK starts runs by a batch, and gives out the run's id unless the answer itself is a refusal."""
    response = await server.client.post("/v2/batch", json=[{"destination": "https://h/"}, item])
    assert response.status_code == 501
    assert "not available" in response.json()["error"]
    await server.settle()
    assert not server.sent


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/publish/unknown-group", 404),
        ("/v2/publish/", 404),
        ("/v2/publish/..%2f..%2fadmin%2fcounters", 400),
        ("/v2/publish/api/llm", 501),
        ("/v2/enqueue/bad%20queue/https://h", 400),
        ("/v2/enqueue/q", 404),
        ("/v2/trigger/https://h", 501),
        ("/v2/notify/e", 501),
        ("/v2/workflows/runs/x", 501),
        ("/llm/v1/chat/completions", 501),
        ("/v3/publish/https://h", 404),
    ],
)
async def test_bad_paths_have_the_status_of_the_spec(server: Served, path: str, status: int) -> None:
    response = await server.client.post(f"http://qstash{path}")
    assert response.status_code == status
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("size_bytes", [1_000_001, 2_000_001])
async def test_body_over_the_limit_is_413(server: Served, size_bytes: int) -> None:
    response = await server.client.post(f"/v2/publish/{URL}", content=b"x" * size_bytes)
    assert response.status_code == 413


async def test_endless_body_without_length_is_413(server: Served) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    response = await server.client.post(f"/v2/publish/{URL}", content=chunks())
    assert response.status_code == 413


async def test_utf8_header_values_arrive_unharmed(server: Served) -> None:
    """As does a destination that proxies have damaged."""
    damaged = "https%3A%2F%2Fexample.com%2Fp"
    await server.call("POST", f"/v2/publish/{damaged}", headers={"Upstash-Forward-X": "é✓".encode()})
    await server.settle()
    assert (server.sent[0].url, dict(server.sent[0].headers)["X"]) == ("https://example.com/p", "é✓")


async def test_users_are_separate_tenants(server: Served) -> None:
    answer = await server.call("POST", f"/v2/publish/{URL}")
    headers = {"Authorization": f"Bearer {OTHER_TOKEN}"}
    response = await server.client.get(f"/v2/messages/{answer['messageId']}", headers=headers)
    assert response.status_code == 404
