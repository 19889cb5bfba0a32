import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from baton_local.redis.link.link import LinkLimits, RedisLink, RedisUnavailableError
from baton_local.redis.link.resp import Reply, ServerError, encode_command
from tests.unit.baton_local.redis.link.fake_server import FakeServer, echo
from tests.unit.baton_local.waiting import until


def greeted(_info: Reply, _commands: Reply) -> None:
    """Nobody is interested."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeServer]:
    async with FakeServer(tmp_path) as running:
        yield running


@pytest.fixture
async def link_to() -> AsyncIterator[Callable[..., RedisLink]]:
    links: list[RedisLink] = []

    def make(server: FakeServer, limits: LinkLimits | None = None) -> RedisLink:
        links.append(RedisLink(server.address, limits or LinkLimits(), greeted))
        links[-1].start()
        return links[-1]

    yield make
    for link in links:
        await link.close()


async def connected(link: RedisLink) -> RedisLink:
    async with asyncio.timeout(5):
        await link.connected.wait()
    return link


async def again(link: RedisLink) -> list[Reply]:
    await until(lambda: not link.connected.is_set())
    return await (await connected(link)).call(frames(b"again"), 1)


def frames(*texts: bytes) -> bytes:
    return b"".join(encode_command([b"ECHO", text]) for text in texts)


async def test_batches_get_their_own_replies_in_order(server: FakeServer, link_to: Callable[..., RedisLink]) -> None:
    link = await connected(link_to(server))
    replies = await asyncio.gather(*[link.call(frames(b"%d" % n, b"x"), 2) for n in range(100)])
    assert replies == [[b"%d" % n, b"x"] for n in range(100)]
    assert server.connections == 1


async def test_without_a_server_the_answer_is_prompt(tmp_path: Path, link_to: Callable[..., RedisLink]) -> None:
    link = link_to(FakeServer(tmp_path))
    with pytest.raises(RedisUnavailableError, match=r"no connection to the Redis server at unix:.*was not sent"):
        await link.call(frames(b"a"), 1)


async def test_what_is_in_flight_when_the_connection_breaks_is_lost_and_not_sent_again(
    server: FakeServer, link_to: Callable[..., RedisLink]
) -> None:
    """The server has seen each command once; the link comes back by itself."""
    link = await connected(link_to(server))
    server.silent = True
    waiting = [asyncio.create_task(link.call(frames(b"%d" % n), 1)) for n in range(3)]
    await until(lambda: len(server.commands) == 3)
    server.silent = False
    server.drop_connections()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all("may or may not have been applied" in str(outcome) for outcome in outcomes)
    assert await again(link) == [b"again"]
    assert [command[1] for command in server.commands] == [b"0", b"1", b"2", b"again"]


async def test_a_silent_server_is_given_up(server: FakeServer, link_to: Callable[..., RedisLink]) -> None:
    link = await connected(link_to(server, LinkLimits(reply_timeout_seconds=0.1)))
    server.silent = True
    async with asyncio.timeout(5):
        with pytest.raises(RedisUnavailableError, match="may or may not"):
            await link.call(frames(b"a"), 1)
    server.silent = False
    assert await again(link) == [b"again"]
    assert server.connections == 2


async def test_too_much_in_flight_is_refused(server: FakeServer, link_to: Callable[..., RedisLink]) -> None:
    link = await connected(link_to(server, LinkLimits(commands_in_flight=2)))
    server.silent = True
    waiting = asyncio.create_task(link.call(frames(b"a", b"b"), 2))
    await asyncio.sleep(0.02)
    with pytest.raises(RedisUnavailableError, match="more than 2 commands in flight"):
        await link.call(frames(b"c"), 1)
    await link.close()  # what is in flight is lost, and nobody waits forever
    with pytest.raises(RedisUnavailableError):
        await waiting
    assert [command[1] for command in server.commands] == [b"a", b"b"]


async def test_a_server_that_still_loads_counts_as_gone(server: FakeServer, link_to: Callable[..., RedisLink]) -> None:
    server.answer = lambda command: ServerError(b"LOADING data") if command[0] == b"PING" else echo(command)
    link = link_to(server)
    await until(lambda: server.connections >= 2)
    assert not link.connected.is_set()
    server.answer = echo
    assert await (await connected(link)).call(frames(b"a"), 1) == [b"a"]


def nested(command: list[bytes]) -> Reply:
    return [b"a"] if command[0] == b"ECHO" else echo(command)


async def test_a_server_that_does_not_speak_resp2_is_hung_up_on(
    server: FakeServer, link_to: Callable[..., RedisLink]
) -> None:
    """A reply that nobody asked for would shift all that follow."""
    link = await connected(link_to(server))
    server.answer = nested
    (reply,) = await link.call(frames(b"x"), 1)
    assert reply == [b"a"]
    for writer in server._writers:
        writer.write(b":1\r\n")
    await until(lambda: server.connections == 2)
