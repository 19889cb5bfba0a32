"""A stand-in's server: applications of one process over real connections, until they are told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.http_server import (
    App,
    Event,
    Receive,
    Send,
    listen,
    lose_answer,
    read_body,
    send_json,
    serve_until,
)

LIMIT_BYTES = 1_000


async def echo(scope: Event, receive: Receive, send: Send) -> None:
    """Answers with the target and the size of the body; `/lost` with half an answer."""
    if scope["raw_path"] == b"/lost":
        await lose_answer(send)
        return
    try:
        body = await read_body(scope, receive, LIMIT_BYTES)
    except ApiError as error:
        await send_json(send, error.status, {"error": error.message}, [("X-Limit", "1000")])
        return
    await send_json(send, 200, [scope["raw_path"].decode(), scope["query_string"].decode(), len(body)])


@asynccontextmanager
async def connected(app: App = echo) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    listener, url = listen("127.0.0.1", 0)
    stopped, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve_until(stopped, app, listener, ready.set))
    async with asyncio.timeout(30):
        await ready.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        yield reader, writer
        writer.close()
        stopped.set()
        await serving


async def answers(*requests: bytes) -> bytes:
    """All that comes for these, of which the last ends the connection."""
    async with connected() as (reader, writer):
        writer.write(b"".join(requests))
        return await reader.read()


LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_pipelined_requests_are_answered_in_order_with_targets_as_sent() -> None:
    first = b"GET /v2/publish/https://a.example.com/b%20c?d=e%2F HTTP/1.1\r\nHost: x\r\n\r\n"
    lines = (await answers(first, LAST)).split(b"\r\n")
    assert [line for line in lines if line.startswith((b"[", b"HTTP"))] == [
        b"HTTP/1.1 200 OK",
        b'["/v2/publish/https://a.example.com/b%20c","d=e%2F",0]HTTP/1.1 200 OK',
        b'["/last","",0]',
    ]  # fmt: skip


@pytest.mark.parametrize("head", [b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n"])
async def test_a_body_over_the_limit_is_refused_before_it_has_come(head: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"x" * 1001 * (b"chunked" in head))
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        assert b"x-limit: 1000" in await reader.readuntil(b"\r\n\r\n")
        assert b"over the limit of 1000 bytes" in await reader.readuntil(b"}")


async def test_a_lost_answer_ends_the_connection_and_the_next_one_is_served() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /lost HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).endswith(b"content-length: 1\r\n\r\n")
        port = writer.get_extra_info("peername")[1]
        other_reader, other = await asyncio.open_connection("127.0.0.1", port)
        other.write(LAST)
        assert (await other_reader.read()).endswith(b'["/last","",0]')
        other.close()
