from pathlib import Path

import httpx
import pytest

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.destination import Destination
from tests.unit.baton_local.qstash.server_process import ServerProcess

WAITING, HELD, LOOKED_AT, BATCH = 100_000, 200, 200, 1_000


def client_of(server: ServerProcess) -> httpx.Client:
    headers = {"Authorization": f"Bearer {DEVELOPMENT_USERS[0].token}"}
    ok = {"response": [httpx.Response.raise_for_status]}
    return httpx.Client(base_url=server.url, headers=headers, timeout=300, event_hooks=ok)


def fill(client: httpx.Client, url: str) -> list[str]:
    """Publish many to a request, some of them into a paused queue; the body is the number. Their ids."""
    client.post("/v2/queues", json={"queueName": "held", "parallelism": 1})
    client.post("/v2/queues/held/pause")
    ids: list[str] = []
    for start in range(0, WAITING, BATCH):
        items = [
            {"destination": url, "body": f"{number}"}
            | ({"queue": "held"} if number < HELD else {"headers": {"Upstash-Delay": "1d"}})
            for number in range(start, start + BATCH)
        ]
        ids += [each["messageId"] for each in client.post("/v2/batch", json=items).json()]
    return ids


@pytest.mark.long
@pytest.mark.e2e
def test_restart_with_a_hundred_thousand_waiting_messages_loses_none(tmp_path: Path) -> None:
    """Killed right after the last answer: all wait as before, and those that may go are delivered in order."""
    with Destination() as destination:
        with ServerProcess(tmp_path) as server, client_of(server) as client:
            ids = fill(client, destination.url("/hook"))
            server.kill()
        assert len(set(ids)) == WAITING
        with ServerProcess(tmp_path) as server, client_of(server) as client:
            assert client.get("/readyz").status_code == 200
            users = client.get("/admin/counters").json()["users"]
            assert users[DEVELOPMENT_USERS[0].id]["unfinished"] == WAITING
            for number in range(HELD, WAITING, WAITING // LOOKED_AT):
                assert client.get(f"/v2/messages/{ids[number]}").json()["body"] == f"{number}"
            client.post("/v2/queues/held/resume")
            delivered = destination.wait("/hook", HELD)
            assert [each.headers["upstash-message-id"] for each in delivered] == ids[:HELD]
            assert server.stop() == (0, "")
