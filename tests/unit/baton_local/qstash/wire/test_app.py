from typing import Any

import pytest

from tests.unit.baton_local.qstash.served import READ_ONLY, TOKEN, Served

URL = "https://example.com/hook"


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://localhost.evil.example", 403),
     ("http://localhost:3000", 200), ("http://127.0.0.1:8090", 200), ("http://[::1]", 200)],
)  # fmt: skip
async def test_a_page_of_another_site_may_not_use_the_published_token(server: Served, origin: str, status: int) -> None:
    """A browser sends such a request without asking first; the token is known to everybody."""
    path = f"/v2/publish/https://h/?qstash_token={TOKEN}"
    request = server.client.build_request("POST", path, headers={"Origin": origin})
    del request.headers["Authorization"]
    assert (await server.client.send(request)).status_code == status
    await server.settle()
    assert len(server.sent) == (status == 200)


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic x", "Bearer é", TOKEN])
async def test_wrong_or_missing_token_is_401(server: Served, authorization: str) -> None:
    """Whatever the path, before anything else is looked at."""
    for path in ("/v2/keys", "/nothing", "/admin/counters"):
        response = await server.client.get(path, headers={b"Authorization": authorization.encode()})
        assert (response.status_code, set(response.json())) == (401, {"error"})


async def test_read_only_token_reads_and_changes_nothing(server: Served) -> None:
    headers = {"Authorization": f"Bearer {READ_ONLY}"}
    assert (await server.client.get("/v2/keys", headers=headers)).status_code == 200
    for method, path in (("POST", f"/v2/publish/{URL}"), ("DELETE", "/v2/messages"), ("POST", "/v2/keys/rotate")):
        assert (await server.client.request(method, path, headers=headers)).status_code == 403
    await server.settle()
    assert not server.sent


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v2/keys", None, 405),
        ("POST", f"/v2/publish/{URL}?upstash-retries=x", None, 400),
        ("GET", f"/v2/publish/{URL}", None, 405),
        ("POST", "/v2/queues", {}, 400),
        ("POST", "/v2/queues", [], 400),
        ("POST", "/v2/queues", {"queueName": "a b"}, 400),
        ("POST", "/v2/queues", {"queueName": 5}, 400),
        ("POST", "/v2/queues", {"queueName": "q", "parallelism": 0}, 400),
        ("POST", "/v2/queues", {"queueName": "q", "parallelism": True}, 400),
        ("POST", "/v2/queues", {"queueName": "q", "parallelism": "2"}, 400),
        ("POST", "/v2/queues", {"queueName": "q", "parallelism": 10**6}, 412),
        ("POST", "/v2/queues", {"queueName": "q", "paused": "yes"}, 400),
        ("POST", "/v2/flowControl/k/pin", None, 400),
        ("POST", "/v2/flowControl/k/pin?parallelism=0", None, 400),
        ("POST", "/v2/flowControl/k/pin?rate=x", None, 400),
        ("POST", "/v2/flowControl/k/pin?period=9d", None, 400),
        ("POST", "/v2/flowControl/k/unpin?rate=maybe", None, 400),
        ("POST", "/v2/flowControl/k/resume", None, 404),
        ("POST", "/v2/flowControl/k/resetRate", None, 404),
        ("POST", "/v2/flowControl/k/explode", None, 404),
        ("POST", f"/v2/schedules/{URL}", None, 400),
    ],
)
async def test_bad_calls_are_refused(server: Served, method: str, path: str, body: Any, status: int) -> None:
    assert (await server.client.request(method, path, json=body)).status_code == status


async def test_counters_count_for_a_bill(server: Served) -> None:
    await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Deduplication-Id": "d"})
    await server.call("POST", f"/v2/publish/{URL}", headers={"Upstash-Deduplication-Id": "d"})
    await server.settle()
    counters = await server.call("GET", "/admin/counters")
    assert counters == {
        "users": {
            "defaultUser": {
                "published": 1,
                "deduplicated": 1,
                "derived": 0,
                "deliveries": 1,
                "delivered": 1,
                "failed": 0,
                "cancelled": 0,
                "unfinished": 0,
            }
        }
    }


async def test_unwritable_store_stops_the_server_instead_of_promising(server: Served) -> None:
    """Once memory is ahead of the disk, nothing is acknowledged any more, and readiness, without a token, says so."""
    del server.client.headers["Authorization"]
    assert (await server.client.get("/readyz")).status_code == 200
    server.client.headers["Authorization"] = f"Bearer {TOKEN}"
    server.engine.storage._connection.close()
    assert (await server.client.post(f"/v2/publish/{URL}")).status_code == 503
    assert (await server.client.post(f"/v2/publish/{URL}")).status_code == 503
    assert (await server.client.get("/readyz")).status_code == 503
    assert not server.sent
