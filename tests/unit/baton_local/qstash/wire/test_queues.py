from typing import Any

import pytest

from tests.unit.baton_local.qstash.served import Served


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
    assert (await server.client.post("/v2/queues", json=body)).status_code == code
