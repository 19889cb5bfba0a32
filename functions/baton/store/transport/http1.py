"""HTTP/1.1 below httpx over asyncio's own connections: a quarter of the CPU time of httpx's own for a request.

Invariants: nothing is sent twice; a request that is given up closes its connection and the kept ones to that address; a
connection that is old, or that the server closed, is not used again. A connection has one request at a time, and the
next one only after a whole answer; an incomplete answer is an error, and so is one over its limit, packed or unpacked.
Must not: set time limits, follow redirects, speak to a proxy, or read the answer to HEAD, which has no body.
"""

import asyncio
import select
import ssl
import zlib
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from baton.store.transport.dialing import Dialer
from baton.store.transport.http import Headers, Refuse
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

        Raises httpx.RemoteProtocolError: the piece is no HTTP. httpx.DecodingError: the body is too large, or not what
        its headers say.
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

        Raises httpx.RemoteProtocolError: no answer, or not a whole one. httpx.ReadError: the connection broke.
        httpx.DecodingError: the body is too large, or not what its headers say.
        """
        if not self.is_open:  # nothing would tell of what is written to a connection that has ended
            raise httpx.RemoteProtocolError("the server hung up before it was sent a request")
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
    if not hasattr(select, "poll"):  # Windows
        return lambda: bool(select.select([socket], [], [], 0)[0])
    watch = select.poll()
    watch.register(socket, select.POLLIN)
    return lambda: bool(watch.poll(0))


_PORTS = {"http": 80, "https": 443}
Place = tuple[str, str, int]


class Http1Transport(httpx.AsyncBaseTransport):
    """Connections to any server, made when they are needed, in one event loop.

    `limits`: the number of connections at once and of kept ones, and the seconds that they are kept.
    """

    def __init__(self, ssl_context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self.ssl_context = ssl_context
        self._turn = asyncio.Semaphore(limits.max_connections or 1)
        self._kept_at_most = limits.max_keepalive_connections or 0
        self._kept_seconds = limits.keepalive_expiry or 0.0
        self._free: defaultdict[Place, list[Connection]] = defaultdict(list)
        self._dialer = Dialer()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and read the whole answer.

        Raises httpx.ConnectError, ReadError, RemoteProtocolError: it failed. LocalProtocolError: an invalid request.
        DecodingError: the body is too large, or not what its headers say.
        """
        body = await request.aread()
        head = head_of(request.method, request.url, request.headers.raw)
        answer = await self.send(place_of(request.url), b"%b\r\n\r\n%b" % (head, body))
        return _response(answer, request)

    async def send(self, place: Place, data: bytes) -> Answer:
        """Send encoded bytes, and read the whole answer; errors as above, except for those of its content."""
        async with self._turn:
            connection = self._kept(place) or await self._connected(place)
            try:
                answer = await connection.exchange(data)
            except asyncio.CancelledError:
                connection.close()
                self._leave(place, connection.address)
                raise
            except BaseException:
                connection.close()
                raise
            free = self._free[place]
            if connection.is_open and len(free) < self._kept_at_most:
                free.append(connection)
            else:
                connection.close()
            return answer

    async def request(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes, refuse: Refuse
    ) -> bytes:
        """Send a request by its parts, as http.py describes."""
        fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        head = head_of(method, url, [(b"Host", url.netloc), *fields])
        answer = await self.send(place_of(url), b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(content), content))
        if not httpx.codes.is_success(answer.status):
            refuse(_response(answer))
        return b"".join(answer.body)

    def posting(self, url: httpx.URL, headers: Headers) -> "Http1Posting":
        """Make a function that posts to one address, as http.py describes."""
        return Http1Posting(self, url, headers)

    def _kept(self, place: Place) -> Connection | None:
        """Return the last used connection, so that connections beyond the need grow old."""
        free, since = self._free[place], asyncio.get_running_loop().time() - self._kept_seconds
        while free:
            connection = free.pop()
            if connection.free_since > since and connection.is_quiet():
                return connection
            connection.close()
        return None

    def _leave(self, place: Place, address: str) -> None:
        """Use another address next, if there is one: this one did not answer in time."""
        self._dialer.blame(address, place[2])
        free = self._free.pop(place, [])
        for connection in free:
            if connection.address == address:
                connection.close()
            else:
                self._free[place].append(connection)

    async def _connected(self, place: Place) -> Connection:
        scheme, host, port = place
        secure = self.ssl_context if scheme == "https" else None

        async def connect(address: str) -> Connection:
            loop, name = asyncio.get_running_loop(), host if secure else None
            _, made = await loop.create_connection(Connection, address, port, ssl=secure, server_hostname=name)
            made.address = address
            return made

        try:
            return await self._dialer.dial(host, port, connect, Connection.close)
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error

    async def aclose(self) -> None:
        """Close the kept connections; those in use belong to their callers."""
        for free in self._free.values():
            for connection in free:
                connection.close()
        self._free.clear()


class Http1Posting:
    """`Posting` over such connections: the head of its requests is made once."""

    def __init__(self, transport: Http1Transport, url: httpx.URL, headers: Headers) -> None:
        self._transport = transport
        self._place = place_of(url)
        self._head = head_of("POST", url, headers)

    def __call__(self, content: bytes, more: tuple[bytes, bytes]) -> Coroutine[Any, Any, Answer]:
        last = b"%b: %b\r\nContent-Length: %d" % (*more, len(content))
        return self._transport.send(self._place, b"%b\r\n%b\r\n\r\n%b" % (self._head, last, content))


def _response(answer: Answer, request: httpx.Request | None = None) -> httpx.Response:
    return httpx.Response(answer.status, headers=answer.headers, content=b"".join(answer.body), request=request)


def place_of(url: httpx.URL) -> Place:
    """Return a server's scheme, host and port."""
    return url.scheme, url.host, url.port or _PORTS[url.scheme]


def head_of(method: str, url: httpx.URL, headers: Headers) -> bytes:
    """Build a request's head, without the line break after it.

    Raises httpx.LocalProtocolError: a header would break it apart.
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode(), url.raw_path)]
    lines += [b"%b: %b" % header for header in headers]
    head = b"\r\n".join(lines)
    if not head.count(b"\n") == head.count(b"\r") == len(lines) - 1:
        raise httpx.LocalProtocolError("a header holds a line break; remove it")
    return head
