import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import pytest_asyncio
import uvloop

from baton_local.qstash.core.message import OutgoingRequest
from baton_local.qstash.delivery.connection import Connection
from baton_local.qstash.delivery.http_delivery import HttpDelivery


@pytest_asyncio.fixture
async def delivery() -> AsyncIterator[HttpDelivery]:
    real = HttpDelivery(max_response_bytes=1_000)
    yield real
    await real.close()


def request_to(url: str, timeout_ms: int = 5_000) -> OutgoingRequest:
    return OutgoingRequest("POST", url, [("X-A", "1")], b"", timeout_ms)


@asynccontextmanager
async def scripted(*answers: bytes, close: bool = True) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives these bytes as the answers to the requests of each connection; its URL, and what it got."""
    received: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        for answer in answers:
            try:
                received.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            writer.write(answer)
        if close:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", received
        for writer in writers:
            writer.close()


async def test_end_of_the_connection_may_end_a_body(delivery: HttpDelivery) -> None:
    async with scripted(b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nall of it") as (url, _):
        result = await delivery(request_to(url))
    assert (result.status, result.body, result.headers, result.error) == (200, b"all of it", {"X-A": ["b"]}, None)


async def test_body_that_ends_too_early_is_an_error(delivery: HttpDelivery) -> None:
    """Half an answer is none: what it would have said is not known."""
    async with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") as (url, _):
        result = await delivery(request_to(url))
    assert (result.status, result.succeeded) == (0, False)


async def test_chunked_answer_is_put_together(delivery: HttpDelivery) -> None:
    """The body as it was meant; headers after it are not taken for headers before it."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nRetry-After: 9\r\n\r\n"
    async with scripted(answer) as (url, _):
        result = await delivery(request_to(url))
    assert (result.body, result.headers) == (b"abc", {"Transfer-Encoding": ["chunked"]})


async def test_announcement_of_an_answer_to_come_is_not_the_answer(delivery: HttpDelivery) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with scripted(hints + hints + b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n") as (url, _):
        result = await delivery(request_to(url))
    assert (result.status, result.headers) == (204, {"X-A": ["b"]})


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5_000,
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000,
    ],
    ids=["hints", "headers", "one header"],
)
async def test_head_without_an_end_is_an_error(delivery: HttpDelivery, answer: bytes) -> None:
    async with scripted(answer, close=False) as (url, _):
        result = await delivery(request_to(url))
    assert result.error is not None
    assert "65536" in result.error


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
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
    async with scripted(good + surplus, good, close=False) as (url, _):
        assert [(await delivery(request_to(url))).body for _ in range(3)] == [b"good"] * 3


async def test_what_a_url_says_about_the_caller_is_sent_and_not_shown(delivery: HttpDelivery) -> None:
    """`user:password@` becomes a header, unless the message has one of its own."""
    async with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, received):
        await delivery(request_to(url.replace("http://", "http://me:s%20@")))
    assert b"\r\nAuthorization: Basic bWU6cyA=\r\n" in received[0]
    assert b"me:" not in received[0]


async def test_header_with_a_line_break_is_never_sent(delivery: HttpDelivery) -> None:
    """It would be two headers, or two requests."""
    async with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, received):
        result = await delivery(OutgoingRequest("POST", url, [("X-A", "1\r\nX-B: 2")], b"", 1_000))
    assert result.error
    assert not received


async def test_cancelled_attempt_ends_its_connection(delivery: HttpDelivery) -> None:
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
