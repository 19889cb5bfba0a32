"""The lean HTTP client: what it sends, what it reads, and which connections it uses again."""

import asyncio
import gzip
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.store.transport.http1 import Connection, Http1Transport
from baton_events import proxies
from baton_events.bounded import OWN_LIMIT_BYTES

LIMITS = httpx.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=50)
SHORT = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WIRES: dict[str, tuple[bytes, int, bytes]] = {
    "length": (OK, 200, b"ok"),
    "chunks": (CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\nX-T: a\r\n\r\n", 200, b"ok"),
    "announced": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK, 200, b"ok"),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "an error": (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", 500, b"no"),
    "nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
}


@dataclass
class Served:
    """A server that writes one piece of `pieces` after the other to each request; what it saw."""

    pieces: Sequence[bytes] = (OK,)
    closes: bool = False
    gap_seconds: float = 0
    url: str = ""
    connections: int = 0
    at_once: int = 0
    most: int = 0
    left: int = 0
    requests: list[bytes] = field(default_factory=list)
    readers: list[asyncio.StreamReader] = field(default_factory=list)
    pause: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.readers.append(reader)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                await self._answer(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.left += 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        self.requests.append(head + await reader.readexactly(length))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.pause.wait()
        self.at_once -= 1
        for piece in self.pieces:
            writer.write(piece)
            await asyncio.sleep(self.gap_seconds)
        if self.closes:
            writer.close()


@asynccontextmanager
async def serving(*pieces: bytes, closes: bool = False, host: str = "127.0.0.1") -> AsyncIterator[Served]:
    """A server, until the end of the block."""
    served = Served(pieces or (OK,), closes)
    served.pause.set()
    server = await asyncio.start_server(served, host, 0)
    async with server:
        served.url = f"http://{'[::1]' if host == '::1' else host}:{server.sockets[0].getsockname()[1]}"
        yield served
        await until(lambda: served.left == served.connections)


@asynccontextmanager
async def client(limits: httpx.Limits = LIMITS) -> AsyncIterator[Http1Transport]:
    made = Http1Transport(proxies.tls_context(), limits)
    yield made
    await made.aclose()
    await asyncio.sleep(0)


async def until(happened: Callable[[], object]) -> None:
    while not happened():  # noqa: ASYNC110 - what a server sees is no event of ours
        await asyncio.sleep(0.001)


async def send(through: Http1Transport, url: str, body: bytes = b"", **headers: str) -> httpx.Response:
    return await through.handle_async_request(httpx.Request("POST", url, content=body, headers=headers))


@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_is_read_as_it_is_framed(wire: str) -> None:
    """And the connection is used again after each of these."""
    text, status, body = WIRES[wire]
    async with serving(text) as served, client() as through:
        for _ in range(2):
            answer = await send(through, served.url)
            assert (answer.status_code, answer.content) == (status, body)
        assert served.connections == 1


@given(st.sampled_from(sorted(WIRES)), st.lists(st.integers(0, 120), max_size=8))
def test_an_answer_may_come_in_any_pieces(wire: str, cuts: list[int]) -> None:
    text, status, body = WIRES[wire]
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[begin:end] for begin, end in pairwise(places)]

    async def read() -> None:
        async with serving(*pieces) as served, client() as through:
            answer = await send(through, served.url)
            assert (answer.status_code, answer.content) == (status, body)

    asyncio.run(read())


async def test_a_request_is_sent_as_it_was_made() -> None:
    """Unless one of its headers would break it apart: that is refused."""
    async with serving() as served, client() as through:
        await send(through, f"{served.url}/a%20b?c=d", b"x" * 3_000_000, authorization="Bearer t")
        with pytest.raises(httpx.LocalProtocolError, match="line break"):
            await send(through, served.url, label="a\r\nauthorization: b")
    [request] = served.requests
    assert request.startswith(b"POST /a%20b?c=d HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nauthorization: Bearer t\r\n" in request
    assert request.endswith(b"\r\n\r\n" + b"x" * 3_000_000)
    async with serving(host="::1") as served, client() as through:
        assert (await send(through, served.url)).content == b"ok"
    assert b"Host: [::1]:" in served.requests[0]


@pytest.mark.parametrize(
    ("pieces", "closes", "limits"),
    [
        pytest.param((b"HTTP/1.1 200 OK\r\n\r\n", b"ok"), True, LIMITS, id="an answer without a length"),
        pytest.param((OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),), False, LIMITS, id="not kept"),
        pytest.param((OK,), False, SHORT, id="old"),
    ],
)
async def test_a_connection_that_has_ended_or_is_old_is_not_used_again(
    pieces: tuple[bytes, ...], closes: bool, limits: httpx.Limits
) -> None:
    async with serving(*pieces, closes=closes) as served, client(limits) as through:
        for number in (1, 2):
            assert (await send(through, served.url)).content == b"ok"
            assert served.connections == number


async def test_a_large_and_packed_answer_is_unpacked() -> None:
    packed = gzip.compress(b"y" * 5_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with serving(head + packed) as served, client() as through:
        assert (await send(through, served.url)).content == b"y" * 5_000_000


@pytest.mark.parametrize("coding", ["", "gzip", "br"])
async def test_an_answer_over_its_limit_is_an_error_while_it_arrives(coding: str) -> None:
    body = b"y" * (OWN_LIMIT_BYTES + 1)
    packed = gzip.compress(body, compresslevel=1) if coding == "gzip" else body
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(packed))
    async with serving(head + packed) as served, client() as through:
        with pytest.raises(httpx.DecodingError, match=f"more than {OWN_LIMIT_BYTES} bytes"):
            await send(through, served.url)


async def test_an_answer_that_is_not_packed_as_it_says_is_an_error() -> None:
    async with serving(OK.replace(b"OK", b"OK\r\nContent-Encoding: gzip")) as served, client() as through:
        with pytest.raises(httpx.DecodingError):
            await send(through, served.url)


async def test_what_nobody_requested_is_no_answer() -> None:
    """A server that answers twice has lost count; its second answer is not the next asker's."""
    wrong = OK.replace(b"ok", b"no")
    async with serving(OK + wrong) as served, client() as through:
        assert (await send(through, served.url)).content == b"ok"
        assert (await send(through, served.url)).content == b"ok"
        assert served.connections == 2
    async with serving(OK, wrong) as served, client() as through:
        served.gap_seconds = 0.02
        assert (await send(through, served.url)).content == b"ok"
        await until(lambda: served.left)  # it hung up
        assert (await send(through, served.url)).content == b"ok"
        assert served.connections == 2


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", OK[:-1], CHUNKED + b"1\r\no\r\n"])
async def test_half_an_answer_is_none(wire: bytes) -> None:
    """What came of it may be half of what the server did."""
    async with serving(wire, closes=True) as served, client() as through:
        with pytest.raises(httpx.RemoteProtocolError, match="before its answer was whole"):
            await send(through, served.url)


async def test_an_answer_without_a_length_that_breaks_off_is_none() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\no", breaks_off=True) as url:
        async with client() as through:
            with pytest.raises(httpx.ReadError, match="ConnectionResetError"):
                await send(through, url)


async def test_no_more_connections_than_allowed_and_few_are_kept() -> None:
    async with serving() as served, client() as through:
        served.pause.clear()
        requesting = [asyncio.create_task(send(through, served.url)) for _ in range(20)]
        await until(lambda: served.at_once == 4)
        served.pause.set()
        assert {answer.content for answer in await asyncio.gather(*requesting)} == {b"ok"}
        assert served.most == 4
        before = served.connections
        served.pause.clear()
        requesting = [asyncio.create_task(send(through, served.url)) for _ in range(4)]
        await until(lambda: served.at_once == 4)
        served.pause.set()
        await asyncio.gather(*requesting)
        assert served.connections - before == 2


async def test_a_request_that_is_given_up_closes_its_connection() -> None:
    """Its answer, which may still come, is nobody's."""
    async with serving() as served, client() as through:
        served.pause.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await send(through, served.url)
        await until(served.readers[0].at_eof)
        served.pause.set()
        assert (await send(through, served.url)).content == b"ok"
        assert served.connections == 2


async def test_a_connection_that_closed_while_the_process_stood_still_is_not_used() -> None:
    """A function is frozen between invocations: its event loop learns only later that the other side hung up."""
    with answering(OK, OK) as url:
        async with client() as through:
            assert (await send(through, url)).content == b"ok"
            time.sleep(0.1)  # noqa: ASYNC251 - nothing runs meanwhile
            assert (await send(through, url)).content == b"ok"


@contextmanager
def answering(*answers: bytes, breaks_off: bool = False) -> Iterator[str]:
    """A server in a thread of its own, which hangs up after each answer; `breaks_off`: by a reset."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for text in answers:
                connection, _address = listening.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(text)
                    if breaks_off:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        time.sleep(0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


async def test_a_connection_that_has_ended_before_its_first_request_is_an_error_at_once() -> None:
    """A proxy without room hangs up on who has just connected: nothing told of it, so the whole time limit passed."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        place = server.sockets[0].getsockname()
        _, connection = await asyncio.get_running_loop().create_connection(Connection, *place)
        await until(lambda: not connection.is_open)
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(connection.exchange(b"GET / HTTP/1.1\r\n\r\n"), 2)
