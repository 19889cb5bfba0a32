import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from baton_local.stand_in.asgi import App, Event
from baton_local.stand_in.http_server import HttpConnection

LIMIT_SECONDS = 60
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


async def echo(scope: Event, receive: Receive, send: Send) -> None:
    """Answers with the target and the body; `/early` answers before the body, `/fail` not at all."""
    body, more = b"", scope["raw_path"] != b"/early"
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        body, more = body + event["body"], event["more_body"]
    if scope["raw_path"] == b"/fail":
        raise RuntimeError("broken")
    if scope["raw_path"] == b"/slow":
        await asyncio.sleep(0.02)
    names = b",".join(name for name, _ in scope["headers"])
    answer = b"|".join((scope["method"].encode(), scope["raw_path"], scope["query_string"], names, body))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": answer[:20], "more_body": True})
    await send({"type": "http.response.body", "body": answer[20:]})


@asynccontextmanager
async def connected(app: App = echo) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    connections: set[HttpConnection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpConnection(app, connections), "127.0.0.1", 0)
    async with server, asyncio.timeout(LIMIT_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        yield reader, writer
        writer.close()
        await asyncio.gather(*[connection.closed for connection in connections])


async def talk(*pieces: bytes) -> bytes:
    """Everything that is answered to this, up to the end of the connection, which the client asks for."""
    async with connected() as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        return await reader.read()


LAST = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
LAST_ANSWER = b"HTTP/1.1 200 OK\r\nx-length: 0\r\nconnection: close\r\n\r\nGET|/last||connection|"


async def test_bytes_may_come_one_by_one() -> None:
    request = b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    shown = await talk(*(bytes([byte]) for byte in request + LAST))
    assert b"POST|/x||content-length|abc" in shown
    assert shown.endswith(LAST_ANSWER)


async def test_pipelined_requests_are_answered_in_order() -> None:
    shown = await talk(b"GET /slow HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n" + LAST)
    assert shown.index(b"|/slow|") < shown.index(b"|/b|") < shown.index(b"|/last|")
    assert shown.count(b"HTTP/1.1 200 OK") == 3


async def test_reading_stops_while_nobody_takes_the_body() -> None:
    """An application that is slow holds up its client, and does not fill the memory."""
    go_on = asyncio.Event()
    size_bytes = 40_000_000

    async def waiting(scope: Event, receive: Receive, send: Send) -> None:
        await go_on.wait()
        taken_bytes = 0
        while taken_bytes < size_bytes:
            taken_bytes += len((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async with connected(waiting) as (reader, writer):
        writer.write(b"POST /x HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size_bytes)
        writer.write(bytes(size_bytes))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.1)
        go_on.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("request_bytes", "answered"),
    [
        pytest.param(
            b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
            b"POST|/x||transfer-encoding|abcde",
            id="trailers of a chunked body are not headers",
        ),
        pytest.param(
            b"GET /x HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
            b"GET|/x|",
            id="an offer of another protocol is not taken",
        ),
        pytest.param(b"GET http://127.0.0.1:1/x?q=1 HTTP/1.1\r\n\r\n", b"GET|/x|q=1|", id="target of a proxy"),
        pytest.param(b"POST /early HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
                     b"POST|/early|", id="a body after the answer is read and forgotten"),
    ],
)  # fmt: skip
async def test_request_is_answered_and_the_next_one_as_well(request_bytes: bytes, answered: bytes) -> None:
    shown = await talk(request_bytes, LAST)
    assert answered in shown
    assert shown.endswith(LAST_ANSWER)


async def test_old_client_gets_its_answer_and_an_end() -> None:
    assert b"GET|/x|" in await talk(b"GET /x HTTP/1.0\r\n\r\n")


async def test_client_that_waits_for_leave_gets_it() -> None:
    """`Expect: 100-continue`, as curl sends it with a large body."""
    async with connected() as (reader, writer):
        writer.write(b"POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok" + LAST)
        assert b"POST|/x||expect,content-length|ok" in await reader.read()


async def test_refused_body_that_was_not_sent_ends_the_connection() -> None:
    """Whoever waited for leave may send the body or not: nobody knows what the next bytes are."""
    shown = await talk(b"POST /early HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert shown.startswith(b"HTTP/1.1 200 OK\r\nx-length: 0\r\nconnection: close\r\n\r\nPOST|/early|")


async def test_head_gets_no_body() -> None:
    """Else the next answer would begin in the wrong place."""
    shown = await talk(b"HEAD /x HTTP/1.1\r\n\r\n", LAST)
    assert shown == b"HTTP/1.1 200 OK\r\nx-length: 0\r\n\r\n" + LAST_ANSWER


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", b"400 Bad Request"),
        (b"GET /x HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400 Bad Request"),
        (b"GET nowhere HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400 Bad Request"),
        (b"GET /" + b"x" * 300_000, b"431 Request Header Fields Too Large"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 40_000, b"431 Request Header Fields Too Large"),
    ],
    ids=["not HTTP", "bad length", "bad target", "HTTP/2", "endless target", "endless headers"],
)
async def test_what_is_no_request_is_refused_in_json(data: bytes, status: bytes) -> None:
    shown = await talk(*(data[start : start + 50_000] for start in range(0, len(data), 50_000)))
    assert shown.startswith(b"HTTP/1.1 " + status)
    assert b'{"error": "' in shown
    assert shown.count(b"HTTP/1.1 ") == 1 + shown.count(b"is not HTTP/1.1")


async def test_what_was_asked_before_nonsense_is_answered() -> None:
    shown = await talk(b"GET /slow HTTP/1.1\r\n\r\n\0\0\0\0")
    assert b"GET|/slow|" in shown
    assert b"connection: close" in shown


async def test_failure_of_the_application_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the connection ends, so that nobody takes silence for success."""
    with caplog.at_level(logging.ERROR):
        async with connected() as (reader, writer):
            writer.write(b"GET /fail HTTP/1.1\r\n\r\n")
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
    assert "broken" in caplog.text


async def test_client_that_goes_before_the_end_of_the_body_is_noticed() -> None:
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listening(scope: Event, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "http.request":
            pass
        found.set_result(event["type"])
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body"})

    async with connected(listening) as (_, writer):
        writer.write(b"POST /x HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 99_999)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.close()
        assert await found == "http.disconnect"


async def test_client_that_takes_no_answers_gets_no_more() -> None:
    made = 0

    async def large(scope: Event, receive: Receive, send: Send) -> None:
        nonlocal made
        made += 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8000000")]})
        await send({"type": "http.response.body", "body": b"x" * 8_000_000})

    async with connected(large) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 20)
        await asyncio.sleep(0.1)
        assert made < 5
        writer.transport.abort()
