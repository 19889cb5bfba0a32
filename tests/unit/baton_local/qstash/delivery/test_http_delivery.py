import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import web

from baton_local.qstash.core.message import OutgoingRequest
from baton_local.qstash.delivery.http_delivery import HttpDelivery

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def destination(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def delivery() -> AsyncIterator[HttpDelivery]:
    real = HttpDelivery(max_response_bytes=1_000)
    yield real
    await real.close()


def request_to(url: str, method: str = "POST", body: bytes = b"", timeout_ms: int = 5_000) -> OutgoingRequest:
    return OutgoingRequest(method, url, [("X-A", "1")], body, timeout_ms)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_request_arrives_as_given(delivery: HttpDelivery, method: str) -> None:
    """Method, raw path and query, body and nothing added, for every method."""
    seen: list[tuple[str, str, bytes, set[str]]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, await request.read(), set(request.headers)))
        return web.Response(text="fine", headers={"X-Y": "z"})

    async with destination(handler) as base:
        result = await delivery(request_to(f"{base}/a/../b%2Fc//d?x=%20&y=+", method, b"body"))
    assert seen == [(method, "/a/../b%2Fc//d?x=%20&y=+", b"body", {"Host", "X-A", "Content-Length"})]
    assert (result.status, result.body, result.headers["X-Y"]) == (200, b"fine", ["z"])


async def test_redirects_are_not_followed(delivery: HttpDelivery) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with destination(handler) as base:
        result = await delivery(request_to(base))
    assert (result.status, result.succeeded) == (302, False)


async def test_silent_destination_ends_at_the_timeout(delivery: HttpDelivery) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with destination(handler) as base:
        result = await delivery(request_to(base, timeout_ms=50))
    assert result.error is not None
    assert "timeout" in result.error


async def test_endless_stream_is_cut_at_the_limit(delivery: HttpDelivery) -> None:
    """The answer is bounded; the attempt does not wait for an end that never comes."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 500)

    async with destination(handler) as base:
        result = await delivery(request_to(base))
    assert (result.status, len(result.body)) == (200, 1_000)


async def test_drip_fed_answer_ends_at_the_timeout(delivery: HttpDelivery) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.01)

    async with destination(handler) as base:
        result = await delivery(request_to(base, timeout_ms=100))
    assert result.error is not None


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "http://[::1]:1/", "http://exa mple/", "http://h\udcff/"],
)
async def test_unreachable_destinations_give_an_error(delivery: HttpDelivery, url: str) -> None:
    result = await delivery(request_to(url))
    assert (result.status, result.succeeded) == (0, False)
    assert result.error


async def test_garbage_instead_of_http_gives_an_error(delivery: HttpDelivery) -> None:
    async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await delivery(request_to(f"http://127.0.0.1:{port}/"))
    assert result.error


async def test_connections_are_kept_alive(delivery: HttpDelivery) -> None:
    peers: set[object] = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    async with destination(handler) as base:
        for _ in range(5):
            await delivery(request_to(base, body=b"x"))
    assert len(peers) == 1


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 0)])
async def test_connection_closed_at_the_wrong_moment_costs_only_what_may_not_be_repeated(
    delivery: HttpDelivery, method: str, status: int
) -> None:
    """A kept connection that the server closes as we write: POST may have been acted on (RFC 9110 9.2.2)."""
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        if connections == 1:
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert (await delivery(request_to(url))).status == 200
        assert (await delivery(request_to(url, method))).status == status


async def test_destination_that_speaks_no_tls_is_an_error(delivery: HttpDelivery) -> None:
    received: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        received.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        result = await delivery(request_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert result.error
    assert all(b"POST" not in data for data in received)


async def test_unused_connection_is_closed_after_a_while() -> None:
    """Before the other side would, so that no message meets a connection being closed."""
    delivery = HttpDelivery(max_response_bytes=1_000, keep_alive_seconds=0.02)
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        ended.set()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        await delivery(request_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        await asyncio.wait_for(ended.wait(), 60)
