import asyncio
from pathlib import Path

import pytest

from infra.local_qstash.users import DEVELOPMENT_USERS
from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import RETRY_FAST, EitherClient
from tests.unit.infra.local_qstash.server_process import ServerProcess

_CLIENTS, _KILLS = 4, 4


def arrived_ids(destination: Destination) -> set[str]:
    """The messages that the destination has seen."""
    return {each.headers["upstash-message-id"] for each in destination.at("/hook")}


@pytest.mark.e2e
async def test_every_acknowledged_message_arrives_though_the_server_is_killed(tmp_path: Path) -> None:
    """Several clients publish while the server is killed with SIGKILL again and again: nothing acknowledged is lost."""
    with Destination() as destination:
        server = ServerProcess(tmp_path)
        port, acknowledged, stop = server.port, set[str](), asyncio.Event()

        async def publish(kind: str) -> None:
            client = EitherClient(kind, DEVELOPMENT_USERS[0].token, f"http://127.0.0.1:{port}", retry=RETRY_FAST)
            while not stop.is_set():
                answer = await client.message.publish(
                    url=destination.url("/hook"), body="x", retries=20, retry_delay="50"
                )
                acknowledged.add(answer.message_id)
            await client.close()

        try:
            async with asyncio.TaskGroup() as clients:
                for number in range(_CLIENTS):
                    clients.create_task(publish("sync" if number % 2 else "async"))
                for _ in range(_KILLS):
                    await asyncio.sleep(0.4)
                    await asyncio.to_thread(server.kill)
                    server = await asyncio.to_thread(ServerProcess, tmp_path, port=port)
                await asyncio.sleep(0.2)
                stop.set()
            arrived = await asyncio.to_thread(destination.wait_until, lambda: acknowledged <= arrived_ids(destination))
            assert arrived
            assert len(acknowledged) > _CLIENTS * _KILLS
            code, errors = await asyncio.to_thread(server.stop)
            assert (code, errors) == (0, "")
        finally:
            with server:  # whatever happened, no process stays behind
                pass
