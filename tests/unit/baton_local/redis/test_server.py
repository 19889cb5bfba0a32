"""The connection to a server that a test lets fail; outages of a real one are in tests/contract/redis_rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from baton_local.redis.resp import OK, Reply, ReplyParser, ServerError, Status, encode_reply
from baton_local.redis.server import RedisUnavailableError, Server, ServerAddress

ECHO = [[b"ECHO", b"a"]]


class FakeServer:
    """Answers what it greets with, and else the last argument, unless told otherwise."""

    def __init__(self) -> None:
        self.pong: Reply = Status(b"PONG")
        self.answer: Callable[[list[bytes]], bytes] = lambda command: encode_reply(command[-1])
        self.commands: list[list[bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        parser = ReplyParser()  # a command is an array of bulk strings, as a reply may be
        while received := await reader.read(65_536):
            for command in parser.feed(received):
                assert isinstance(command, list)
                arguments = [part for part in command if isinstance(part, bytes)]
                if arguments[0] in (b"PING", b"INFO"):
                    writer.write(encode_reply(self.pong if arguments[0] == b"PING" else b"run_id:x"))
                else:
                    self.commands.append(arguments)
                    writer.write(self.answer(arguments))


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    listener = await asyncio.start_unix_server(fake.serve, str(tmp_path / "s"))
    yield fake
    listener.close()
    for writer in fake.writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(ServerAddress(socket_path=tmp_path / "s"), lambda _info: None, reply_timeout_seconds=0.1)
    yield server
    server.close()
    await asyncio.sleep(0.01)


async def test_batches_at_once_share_one_connection(fake: FakeServer, server: Server) -> None:
    batches = [[[b"ECHO", b"%d" % number], *ECHO] for number in range(100)]
    assert await asyncio.gather(*map(server.call, batches)) == [[b"%d" % number, b"a"] for number in range(100)]
    assert len(fake.writers) == 1
    assert await server.call_apart(ECHO) == [b"a"]
    assert len(fake.writers) == 2


async def test_without_a_server_the_answer_is_prompt(server: Server) -> None:
    for call in (server.call, server.call_apart):
        with pytest.raises(RedisUnavailableError, match=r"no connection to the Redis server at unix:.*was not sent"):
            await call(ECHO)


async def test_what_is_in_flight_when_the_connection_breaks_is_not_sent_again(fake: FakeServer, server: Server) -> None:
    def hang_up(_command: list[bytes]) -> bytes:
        fake.writers[-1].transport.abort()
        return b""

    fake.answer = hang_up
    for call in (server.call, server.call_apart):
        with pytest.raises(RedisUnavailableError, match="may or may not have been applied"):
            await call(ECHO)
    assert fake.commands == [*ECHO, *ECHO]


async def test_a_server_that_still_loads_counts_as_gone(fake: FakeServer, server: Server) -> None:
    fake.pong = ServerError(b"LOADING data")
    with pytest.raises(RedisUnavailableError, match="LOADING data"):
        await server.call(ECHO)
    fake.pong = OK
    assert await server.call(ECHO) == [b"a"]
    assert fake.commands == ECHO


async def test_a_server_that_has_stopped_answering_is_given_up(fake: FakeServer, server: Server) -> None:
    """By the next request; what waited is lost then, and what a client no longer waits for is as well."""
    fake.answer = lambda _command: b""
    waiting = [asyncio.ensure_future(server.call(ECHO)) for _ in range(2)]
    await asyncio.sleep(0.15)
    waiting[0].cancel()
    fake.answer = lambda command: encode_reply(command[-1])
    assert await server.call(ECHO) == [b"a"]
    with pytest.raises(RedisUnavailableError, match="may or may not"):
        await waiting[1]


@pytest.mark.parametrize("more", [b":1\r\n", b"HTTP/1.1 400\r\n", b"%1\r\n"])
async def test_a_server_that_is_out_of_step_is_hung_up_on(fake: FakeServer, server: Server, more: bytes) -> None:
    """A reply that nobody asked for would shift all that follow."""
    assert await server.call(ECHO) == [b"a"]
    fake.writers[0].write(more)
    await asyncio.sleep(0.02)
    assert await server.call(ECHO) == [b"a"]
    assert len(fake.writers) == 2


@pytest.mark.parametrize("text", ["unix:/run/x.sock", "127.0.0.1:6379", "localhost:1"])
def test_an_address_is_shown_as_it_is_written(text: str) -> None:
    assert str(ServerAddress.from_text(text)) == text
    assert ServerAddress.from_text("[::1]:6379") == ServerAddress(host="::1", port=6379)


@pytest.mark.parametrize("text", ["", "unix:", "localhost", ":6379", "host:", "host:x", "host:0", "host:65536", "6379"])
def test_anything_else_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="unix:/path/to/socket or host:port"):
        ServerAddress.from_text(text)
