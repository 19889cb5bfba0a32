from typing import Any

import pytest

from tests.unit.baton_local.qstash.served import Served

URL = "https://example.com/hook"


async def test_queue_life_over_http(server: Served) -> None:
    """Create, pause, enqueue, resume, delete."""
    await server.call("POST", "/v2/queues", json={"queueName": "q", "parallelism": 2, "paused": False})
    await server.call("POST", "/v2/queues/q/pause")
    await server.call("POST", f"/v2/enqueue/q/{URL}")
    queue = await server.call("GET", "/v2/queues/q")
    assert (queue["name"], queue["parallelism"], queue["lag"], queue["paused"]) == ("q", 2, 1, True)
    await server.settle()
    assert not server.sent
    await server.call("POST", "/v2/queues/q/resume")
    await server.settle()
    assert len(server.sent) == 1
    assert [each["name"] for each in await server.call("GET", "/v2/queues")] == ["q"]
    await server.call("DELETE", "/v2/queues/q")
    assert (await server.client.get("/v2/queues/q")).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 400),
        ([], 400),
        ({"queueName": "a b"}, 400),
        ({"queueName": 5}, 400),
        ({"queueName": "q", "parallelism": 0}, 400),
        ({"queueName": "q", "parallelism": True}, 400),
        ({"queueName": "q", "parallelism": "2"}, 400),
        ({"queueName": "q", "parallelism": 10**6}, 412),
        ({"queueName": "q", "paused": "yes"}, 400),
    ],
)
async def test_bad_queues_are_refused(server: Served, body: Any, code: int) -> None:
    """Each with its status."""
    assert (await server.client.post("/v2/queues", json=body)).status_code == code
