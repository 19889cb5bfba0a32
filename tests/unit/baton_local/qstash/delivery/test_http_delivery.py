import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import pytest_asyncio
import uvloop

from baton_local.qstash.core.message import OutgoingRequest
from baton_local.qstash.delivery.http_delivery import Connection, HttpDelivery

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest_asyncio.fixture
async def delivery() -> AsyncIterator[HttpDelivery]:
    """The real delivery function with a small response limit."""
    real = HttpDelivery(max_response_bytes=1_000)
    yield real
    await real.close()


def request_to(url: str, method: str = "POST", body: bytes = b"", timeout_ms: int = 5_000) -> OutgoingRequest:
    return OutgoingRequest(method, url, [("X-A", "1")], body, timeout_ms)


@asynccontextmanager
async def destination(handle: Handle) -> AsyncIterator[str]:
    """A server of raw connections; its URL."""
    writers: list[asyncio.StreamWriter] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await handle(reader, writer)

    async with await asyncio.start_server(kept, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for writer in writers:
            writer.close()


@asynccontextmanager
async def scripted(*answers: bytes, close: bool = True) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives these bytes as the answers to the requests of each connection; its URL, and what it got."""
    received: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            try:
                received.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            writer.write(answer)
        if close:
            writer.close()

    async with destination(handle) as url:
        yield url, received


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_request_arrives_as_given(delivery: HttpDelivery, method: str) -> None:
    """Method, raw path and query, body and nothing added, for every method."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend([await reader.readuntil(b"\r\n\r\n"), await reader.readexactly(4)])
        writer.write(b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 4\r\n\r\nfine")

    async with destination(handle) as url:
        result = await delivery(request_to(f"{url}a/../b%2Fc//d?x=%20&y=+", method, b"body"))
    line, *headers = seen[0].decode().strip().split("\r\n")
    assert (line, seen[1]) == (f"{method} /a/../b%2Fc//d?x=%20&y=+ HTTP/1.1", b"body")
    assert {header.partition(":")[0] for header in headers} == {"Host", "X-A", "Content-Length"}
    assert (result.status, result.body, result.headers["X-Y"]) == (200, b"fine", ["z"])


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
            (302, b"", {"Location": ["/elsewhere"], "Content-Length": ["0"]}),
            id="redirects are not followed",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nall of it",
            (200, b"all of it", {"X-A": ["b"]}),
            id="the end of the connection may end a body",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nRetry-After: 9\r\n\r\n",
            (200, b"abc", {"Transfer-Encoding": ["chunked"]}),
            id="headers after a chunked body are not taken for headers before it",
        ),
        pytest.param(
            HINTS + HINTS + b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
            (204, b"", {"X-A": ["b"]}),
            id="the announcement of an answer to come is not the answer",
        ),
    ],
)
async def test_answer_is_taken_as_it_was_meant(
    delivery: HttpDelivery, answer: bytes, expected: tuple[int, bytes, dict[str, list[str]]]
) -> None:
    async with scripted(answer) as (url, _):
        result = await delivery(request_to(url))
    assert (result.status, result.body, result.headers) == expected
    assert (result.error, result.succeeded) == (None, expected[0] < 300)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "", id="half an answer is none"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "", id="not HTTP"),
        pytest.param(b"", "", id="hangs up"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5_000, "65536", id="hints without end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000, "65536", id="headers without end"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000, "65536", id="a header without end"),
    ],
)
async def test_broken_answer_is_an_error(delivery: HttpDelivery, answer: bytes, error: str) -> None:
    """What is kept of an answer is bounded in all its parts."""
    async with scripted(answer, close=not error) as (url, _):
        result = await delivery(request_to(url))
    assert (result.status, result.succeeded) == (0, False)
    assert result.error
    assert error in result.error


async def test_drip_fed_answer_ends_at_the_timeout(delivery: HttpDelivery) -> None:
    """A byte now and then does not prolong the attempt."""

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await asyncio.sleep(0.01)

    async with destination(drip) as url:
        result = await delivery(request_to(url, timeout_ms=100))
    assert result.error is not None
    assert "timeout" in result.error


async def test_endless_stream_is_cut_at_the_limit(delivery: HttpDelivery) -> None:
    """The answer is bounded; the attempt does not wait for an end that never comes."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with scripted(head + (b"1f4\r\n" + b"x" * 500 + b"\r\n") * 10, close=False) as (url, _):
        result = await delivery(request_to(url))
    assert (result.status, len(result.body)) == (200, 1_000)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "http://[::1]:1/", "http://exa mple/", "http://h\udcff/"],
)
async def test_unreachable_destinations_give_an_error(delivery: HttpDelivery, url: str) -> None:
    result = await delivery(request_to(url))
    assert (result.status, result.succeeded) == (0, False)
    assert result.error


async def test_connections_are_kept_alive(delivery: HttpDelivery) -> None:
    """Each connection begins with the first answer."""
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(5)]
    async with scripted(*answers) as (url, _):
        assert [(await delivery(request_to(url))).body for _ in answers] == [b"0", b"1", b"2", b"3", b"4"]


async def test_change_of_protocol_is_a_failure_and_the_connection_is_not_used_again(delivery: HttpDelivery) -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello"
    async with scripted(answer, close=False) as (url, received):
        results = [await delivery(request_to(url)) for _ in range(2)]
    assert [(result.status, result.succeeded) for result in results] == [(101, False)] * 2
    assert len(received) == 2


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"garbage"])
async def test_answer_that_nobody_requested_is_not_taken_for_the_next_one(
    delivery: HttpDelivery, surplus: bytes
) -> None:
    """It ends the connection; the next attempt has one of its own."""
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
    async with scripted(good + surplus, good, close=False) as (url, _):
        assert [(await delivery(request_to(url))).body for _ in range(3)] == [b"good"] * 3


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
        writer.write(EMPTY)
        if connections == 1:
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with destination(handle) as url:
        assert (await delivery(request_to(url))).status == 200
        assert (await delivery(request_to(url, method))).status == status


async def test_destination_that_speaks_no_tls_is_an_error(delivery: HttpDelivery) -> None:
    """Where https was asked for, nothing is sent in clear text."""
    received: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EMPTY)
        received.append(await reader.read())
        writer.close()

    async with destination(handle) as url:
        assert (await delivery(request_to(url.replace("http:", "https:")))).error
    assert all(b"POST" not in data for data in received)


async def test_unused_connection_is_closed_after_a_while() -> None:
    """Before the other side would, so that no message meets a connection being closed."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(EMPTY)
        await reader.read()
        ended.set()

    async with destination(handle) as url:
        await HttpDelivery(max_response_bytes=1_000, keep_alive_seconds=0.02)(request_to(url))
        await asyncio.wait_for(ended.wait(), 60)


async def test_what_a_url_says_about_the_caller_is_sent_and_not_shown(delivery: HttpDelivery) -> None:
    """`user:password@` becomes a header, unless the message has one of its own."""
    async with scripted(EMPTY) as (url, received):
        await delivery(request_to(url.replace("http://", "http://me:s%20@")))
    assert b"\r\nAuthorization: Basic bWU6cyA=\r\n" in received[0]
    assert b"me:" not in received[0]


async def test_header_with_a_line_break_is_never_sent(delivery: HttpDelivery) -> None:
    """It would be two headers, or two requests."""
    async with scripted(EMPTY) as (url, received):
        result = await delivery(OutgoingRequest("POST", url, [("X-A", "1\r\nX-B: 2")], b"", 1_000))
    assert result.error
    assert not received


async def test_cancelled_attempt_ends_its_connection(delivery: HttpDelivery) -> None:
    """A late answer can never be taken for that of another attempt."""
    async with scripted(b"", close=False) as (url, received):
        attempt = asyncio.get_running_loop().create_task(delivery(request_to(url)))
        async with asyncio.timeout(5):
            while not received:  # noqa: ASYNC110 - the server has no event to wait for
                await asyncio.sleep(0.001)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert (await delivery(request_to(url, timeout_ms=50))).error
    assert len(received) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other options")
@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_kernel_looks_whether_the_other_side_lives(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A machine that vanished sends nothing, not even an end; 25 s of silence end its connection."""

    async def options() -> list[int]:
        async with scripted(b"") as (url, _):
            port = int(url.rstrip("/").rpartition(":")[2])
            make = partial(Connection, 1_000, lambda _connection: None)
            transport, made = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
            held = transport.get_extra_info("socket")
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            found = [held.getsockopt(socket.IPPROTO_TCP, name) for name in names]
            found.insert(0, held.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            made.close()
            return found

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(options()) == [1, 10, 5, 3, 60_000]
