from pathlib import Path

import pytest

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.kill_backlog import QUEUE, client_of, fill, unfinished
from tests.unit.baton_local.qstash.server_process import ServerProcess

WAITING, HELD, LOOKED_AT = 100_000, 200, 200


@pytest.mark.long
@pytest.mark.e2e
def test_restart_with_a_hundred_thousand_waiting_messages_loses_none(tmp_path: Path) -> None:
    """Killed right after the last answer: all wait as before, and those that may go are delivered in order."""
    with Destination() as destination:
        with ServerProcess(tmp_path) as server, client_of(server.url) as client:
            backlog = fill(client, destination.url("/hook"), WAITING, HELD)
            server.kill()
        assert len({*backlog.held, *backlog.delayed}) == WAITING
        with ServerProcess(tmp_path) as server, client_of(server.url) as client:
            assert client.get("/readyz").status_code == 200
            assert unfinished(client) == WAITING
            for number in range(HELD, WAITING, WAITING // LOOKED_AT):
                message = client.get(f"/v2/messages/{backlog.delayed[number - HELD]}").raise_for_status().json()
                assert message["body"] == f"{number}"
            client.post(f"/v2/queues/{QUEUE}/resume").raise_for_status()
            delivered = destination.wait("/hook", HELD)
            assert [each.headers["upstash-message-id"] for each in delivered] == backlog.held
            assert server.stop() == (0, "")
