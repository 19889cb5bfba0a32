import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest

from baton_local.redis.rest.http_connection import Exchange, HttpConnection


class Endpoint:
    """A listening server whose exchanges wait for the test to answer them."""

    def __init__(self) -> None:
        self.exchanges: asyncio.Queue[Exchange] = asyncio.Queue()
        self.connections: set[HttpConnection] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: HttpConnection(self.exchanges.put_nowait, self.connections, 1000), "127.0.0.1", 0
        )
        port = self._server.sockets[0].getsockname()[1]
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)

    async def next(self) -> Exchange:
        async with asyncio.timeout(5):
            return await self.exchanges.get()

    async def answer(self) -> bytes:
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return head + await self.reader.readexactly(length)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as running:
        yield running


GET = b"GET /%d HTTP/1.1\r\n\r\n"


async def test_an_answer_is_complete_and_sent_once_and_the_connection_stays(endpoint: Endpoint) -> None:
    """Whoever comes second is too late."""
    for number in (1, 2):
        endpoint.writer.write(GET % number)
        exchange = await endpoint.next()
        exchange.respond(200, b'{"result":1}', extra_headers=b"X: y\r\n")
        exchange.respond(500, b"2")
        assert await endpoint.answer() == (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nX: y\r\n\r\n" + b'{"result":1}'
        )


async def test_pipelined_requests_are_answered_in_order_one_at_a_time(endpoint: Endpoint) -> None:
    total = 200
    endpoint.writer.write(b"".join(GET % number for number in range(total)))
    for number in range(total):
        exchange = await endpoint.next()
        assert exchange.request.target == b"/%d" % number
        assert endpoint.exchanges.empty()
        exchange.respond(200, b"%d" % number)
        assert (await endpoint.answer()).endswith(b"\r\n\r\n%d" % number)


async def test_a_client_that_wants_the_connection_closed_gets_it_closed(endpoint: Endpoint) -> None:
    endpoint.writer.write(b"GET / HTTP/1.0\r\n\r\n")
    (await endpoint.next()).respond(503, b"{}")
    answer = await endpoint.answer()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert await endpoint.reader.read() == b""


async def test_a_dropped_exchange_breaks_the_connection(endpoint: Endpoint) -> None:
    endpoint.writer.write(GET % 1)
    (await endpoint.next()).drop()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await endpoint.reader.readexactly(1)


async def test_the_code_that_serves_a_client_learns_when_it_has_gone(endpoint: Endpoint) -> None:
    endpoint.writer.write(GET % 1)
    exchange = await endpoint.next()
    gone = asyncio.Event()
    exchange.on_gone = gone.set
    endpoint.writer.transport.abort()
    async with asyncio.timeout(5):
        await gone.wait()
    exchange.respond(200, b"{}")
    assert exchange.answered
    assert endpoint.connections == set()


async def test_what_is_not_http_is_answered_in_json(endpoint: Endpoint) -> None:
    endpoint.writer.write(b"*1\r\n$4\r\nPING\r\n\r\n")
    answer = await endpoint.answer()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'{"error":"ERR the HTTP request could not be parsed"}')
    assert await endpoint.reader.read() == b""


async def test_garbage_behind_a_request_does_not_spoil_its_answer(endpoint: Endpoint) -> None:
    endpoint.writer.write(GET % 1)
    exchange = await endpoint.next()
    endpoint.writer.write(b"\x00garbage\r\n\r\n")
    await asyncio.sleep(0.05)
    exchange.respond(200, b"{}")
    assert (await endpoint.answer()).startswith(b"HTTP/1.1 200 ")
    assert await endpoint.reader.read() == b""


async def test_an_expectant_client_gets_100_continue(endpoint: Endpoint) -> None:
    endpoint.writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert await endpoint.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    endpoint.writer.write(b"hi")
    exchange = await endpoint.next()
    assert exchange.request.body == b"hi"
    exchange.respond(200, b"{}")
    await endpoint.answer()


async def test_a_head_request_gets_no_body(endpoint: Endpoint) -> None:
    """But the length that it would have had."""
    endpoint.writer.write(b"HEAD / HTTP/1.1\r\n\r\n" + GET % 2)
    (await endpoint.next()).respond(200, b"12345")
    assert b"Content-Length: 5" in await endpoint.reader.readuntil(b"\r\n\r\n")
    (await endpoint.next()).respond(200, b"6")
    assert (await endpoint.answer()).endswith(b"\r\n\r\n6")


async def test_a_client_that_does_not_read_gets_no_further_answers(endpoint: Endpoint) -> None:
    large = b"x" * 20_000_000
    endpoint.writer.write(GET % 1 + GET % 2)
    (await endpoint.next()).respond(200, large)
    await asyncio.sleep(0.05)
    assert endpoint.exchanges.empty()
    assert (await endpoint.answer()).endswith(large)
    (await endpoint.next()).respond(200, b"2")
    assert (await endpoint.answer()).endswith(b"2")
