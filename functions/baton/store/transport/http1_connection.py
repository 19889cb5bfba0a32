"""One HTTP/1.1 connection of asyncio's, and one answer, parsed by httptools piece by piece.

Invariants: one request at a time, and the next one only after a whole answer; an incomplete answer is an error, and so
is one over its limit, packed or unpacked. Must not: read the answer to HEAD, which has a length and no body.
"""

import asyncio
import select
import zlib
from collections.abc import Callable
from typing import Any

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from baton_events.bounded import OWN_LIMIT_BYTES, Body, too_large_message

_FIRST_FINAL = 200  # a lower status only announces an answer
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})
_OF_PACKED = frozenset({b"content-encoding", b"content-length"})


class Answer:
    """Its status (0: not received yet), its headers, its body, which is unpacked and then has no headers of its coding.

    `limit_bytes`: of the body. `is_whole`: nothing more will come; `keeps`: the server keeps the connection, and has
    sent nothing after it.
    """

    def __init__(self, limit_bytes: int = OWN_LIMIT_BYTES) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.is_whole = self.keeps = False
        self._limit_bytes, self._size_bytes = limit_bytes, 0
        self._coded: Body | None = None
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Parse a piece.

        Raises:
            httpx.RemoteProtocolError: the piece is no HTTP.
            httpx.DecodingError: the body is too large, or not what its headers say.
        """
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            cause = error.__context__  # what a callback raised
            if isinstance(cause, httpx.DecodingError | zlib.error):
                raise httpx.DecodingError(str(cause)) from cause
            raise httpx.RemoteProtocolError(f"no HTTP answer: {type(error).__name__}") from error

    @property
    def ends_with_connection(self) -> bool:
        """Whether it has no length, so that it ends with the connection."""
        return self.status >= _FIRST_FINAL and not any(name.lower() in _LENGTHS for name, _ in self.headers)

    def on_message_begin(self) -> None:
        """Note the beginning of an answer (a callback of httptools)."""
        self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, or a trailer (a callback of httptools)."""
        if not self.is_whole:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Store the status, once all headers have come (a callback of httptools)."""
        if not self.is_whole:
            self.status = self._parser.get_status_code()
            coding = next((text for name, text in self.headers if name.lower() == b"content-encoding"), b"")
            if coding:
                self._coded = Body(coding.decode("latin-1"), self._limit_bytes, self._too_large, events=False)
                if self._coded.is_packed:
                    self.headers = [one for one in self.headers if one[0].lower() not in _OF_PACKED]

    def on_body(self, body: bytes) -> None:
        """Store a piece of the body (a callback of httptools)."""
        if self.is_whole:
            return
        if self._coded is not None:
            self.body.extend(self._coded.pieces(body))
            return
        self._size_bytes += len(body)
        if self._size_bytes > self._limit_bytes:
            raise self._too_large()
        self.body.append(body)

    def on_message_complete(self) -> None:
        """Mark the answer as whole, unless it only announced one (a callback of httptools)."""
        if self.status < _FIRST_FINAL:
            self.status, self.headers = 0, []
        elif not self.is_whole:
            self.is_whole, self.keeps = True, self._parser.should_keep_alive()

    def _too_large(self) -> httpx.DecodingError:
        return httpx.DecodingError(too_large_message(self._limit_bytes))


class Connection(asyncio.Protocol):
    """`is_open`: another request may follow; `free_since`: the end of the last one, by the event loop's time.

    `address`: the one that was dialed.
    """

    def __init__(self) -> None:
        self.address = ""
        self.is_open = False
        self.free_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._has_come: Callable[[], bool] = bool
        self._answer: Answer | None = None
        self._waiting: asyncio.Future[Answer] = self._loop.create_future()

    async def exchange(self, data: bytes) -> Answer:
        """Send a request, and wait for its answer.

        Raises:
            httpx.RemoteProtocolError: no answer, or not a whole one. httpx.ReadError: the connection broke.
            httpx.DecodingError: the body is too large, or not what its headers say.
        """
        self._answer, self._waiting = Answer(), self._loop.create_future()
        self._transport.write(data)
        answer = await self._waiting
        self.free_since = self._loop.time()
        return answer

    def close(self) -> None:
        """Close at once, even during a request."""
        self.is_open = False
        self._transport.abort()

    def is_quiet(self) -> bool:
        """Return whether nothing has come since the last answer; a loop that was suspended may not have read it yet."""
        return self.is_open and not self._has_come()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the open connection (a callback of asyncio)."""
        self._transport, self.is_open = transport, True
        self._has_come = _watch(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Parse received data (a callback of asyncio)."""
        answer = self._answer
        if answer is None or answer.is_whole:
            self.close()  # it answers no request
            return
        try:
            answer.feed(data)
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            self._fail(error)
        if answer.is_whole:
            self.is_open = self.is_open and answer.keeps
            self._end(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer with the connection: whole if it has no length, else failed (a callback of asyncio)."""
        self.is_open = False
        if exc is not None:
            self._fail(httpx.ReadError(type(exc).__name__))
        elif self._answer is not None and self._answer.ends_with_connection:
            self._end(self._answer)
        else:
            self._fail(httpx.RemoteProtocolError("the server hung up before its answer was whole"))

    def _end(self, answer: Answer) -> None:
        if not self._waiting.done():
            self._waiting.set_result(answer)

    def _fail(self, error: httpx.RequestError) -> None:
        self.close()
        if self._answer is not None and not self._waiting.done():
            self._waiting.set_exception(error)


def _watch(socket: int) -> Callable[[], bool]:
    """Return a check whether the socket has data to read."""
    if not hasattr(select, "poll"):  # Windows
        return lambda: bool(select.select([socket], [], [], 0)[0])
    watch = select.poll()
    watch.register(socket, select.POLLIN)
    return lambda: bool(watch.poll(0))
