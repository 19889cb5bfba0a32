import asyncio
from pathlib import Path

import pytest

from baton_local.redis.link.link import RedisUnavailableError, SideConnections
from baton_local.redis.link.resp import OK, Reply
from tests.unit.baton_local.redis.link.fake_server import FakeServer, echo
from tests.unit.baton_local.waiting import until


async def test_each_call_has_a_connection_of_its_own(tmp_path: Path) -> None:
    async with FakeServer(tmp_path) as server:
        side = SideConnections(server.address)
        assert await side.call([[b"ECHO", b"a"], [b"ECHO", b"b"]]) == [b"a", b"b"]
        assert await side.call([[b"SCRIPT", b"KILL"]]) == [b"KILL"]
        assert server.connections == 2
        assert [command[0] for command in server.commands] == [b"ECHO", b"ECHO", b"SCRIPT"]


async def test_a_wait_follows_a_write_that_undoes_itself(tmp_path: Path) -> None:
    """On a fresh connection it would have nothing to wait for; its replies stay out of sight."""

    def answer(command: list[bytes]) -> Reply:
        return [1, 0] if command[0] == b"waitaof" else OK if command[0] == b"MULTI" else echo(command)

    async with FakeServer(tmp_path, answer) as server:
        assert await SideConnections(server.address).call([[b"waitaof", b"1", b"0", b"0"]]) == [[1, 0]]
        multi, written, deleted, executed, waited = server.commands
        assert [multi, executed] == [[b"MULTI"], [b"EXEC"]]
        assert (written[0], deleted[0], written[1]) == (b"SET", b"DEL", deleted[1])
        assert waited[0] == b"waitaof"


async def test_the_number_of_side_connections_is_bounded(tmp_path: Path) -> None:
    async with FakeServer(tmp_path) as server:
        server.silent = True
        side = SideConnections(server.address, limit=1)
        waiting = asyncio.create_task(side.call([[b"ECHO", b"a"]]))
        await until(lambda: server.commands)
        with pytest.raises(RedisUnavailableError, match="was not sent"):
            await side.call([[b"ECHO", b"b"]])
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        server.silent = False
        assert await side.call([[b"ECHO", b"c"]]) == [b"c"]


async def test_a_missing_or_breaking_server_is_unavailable(tmp_path: Path) -> None:
    server = FakeServer(tmp_path)
    side = SideConnections(server.address)
    with pytest.raises(RedisUnavailableError, match="no connection"):
        await side.call([[b"ECHO", b"a"]])
    async with server:
        server.silent = True
        waiting = asyncio.create_task(side.call([[b"ECHO", b"a"]]))
        await until(lambda: server.commands)
        server.drop_connections()
        with pytest.raises(RedisUnavailableError, match="may or may not"):
            await waiting
