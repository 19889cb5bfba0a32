"""One HTTP/1.1 client connection: requests in, responses out in the same order, and the tasks that answer some.

Written on httptools rather than as an ASGI app, because a framework's task, scope and receive/send round trips cost a
small command more than everything else here together (tests/bench/redis_bridge.py measures it).
Invariants: a request is passed on once it is complete, with its target still percent-encoded and its body as raw bytes;
one over the size limit is passed on marked and without its body, so that the client can be told. At most one request of
a connection is being handled; those behind it wait in order, and a client that does not read its answers gets no
further ones. No task outlives its client's connection or the bridge, and a task that fails still answers (in JSON). It
knows nothing of Redis.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, cast

import httptools


class Request:
    """A complete request. A plain class with slots: one is made per command."""

    __slots__ = ("body", "headers", "keep_alive", "method", "size_bytes", "target", "too_large")

    def __init__(self, method: bytes, target: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.size_bytes = 0
        self.too_large = False
        self.keep_alive = True


class RequestReader:
    """The callbacks of httptools' parser."""

    def __init__(
        self, limit_bytes: int, on_request: Callable[[Request], None], on_expect_continue: Callable[[], None]
    ) -> None:
        self._limit_bytes, self._on_request = limit_bytes, on_request
        self._on_expect_continue = on_expect_continue
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def feed(self, data: bytes) -> None:
        """Take in received bytes. Raises httptools.HttpParserError: this is not HTTP/1.x, or its head has no end."""
        rest = data
        while rest:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # An offer to switch protocols (h2c, say) may be ignored (RFC 9110 7.8); the request itself is complete.
                rest = rest[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                break
        if self._url and not self._head_complete:
            self._head_bytes += len(data)
            if self._head_bytes > self._limit_bytes:
                raise httptools.HttpParserError(f"no end of the head within {self._limit_bytes} bytes")

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._head_complete = False

    def on_url(self, url: bytes) -> None:
        """Keep a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of a repeated one the last counts."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Prepare for the body, if there is one."""
        self._head_complete = True
        if b"expect" in self._headers and self._headers[b"expect"].lower() == b"100-continue":
            self._on_expect_continue()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; over the limit count it only."""
        self._body_bytes += len(body)
        if self._body_bytes <= self._limit_bytes:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        body = self._body
        request = Request(
            self._parser.get_method(), self._url, self._headers, body[0] if len(body) == 1 else b"".join(body)
        )
        request.size_bytes = self._body_bytes
        request.too_large = self._body_bytes > self._limit_bytes
        request.keep_alive = self._parser.should_keep_alive()
        self._begin()
        self._on_request(request)


JSON = b"application/json"

_STATUS_LINES = {
    200: b"HTTP/1.1 200 OK\r\n",
    400: b"HTTP/1.1 400 Bad Request\r\n",
    401: b"HTTP/1.1 401 Unauthorized\r\n",
    404: b"HTTP/1.1 404 Not Found\r\n",
    405: b"HTTP/1.1 405 Method Not Allowed\r\n",
    500: b"HTTP/1.1 500 Internal Server Error\r\n",
    502: b"HTTP/1.1 502 Bad Gateway\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
}
_UNPARSEABLE = b'{"error":"ERR the HTTP request could not be parsed"}'
_WAITING_LIMIT = 64


class Exchange:
    __slots__ = ("_connection", "answered", "delay_seconds", "drop_reply", "on_gone", "request")

    def __init__(self, request: Request, connection: "HttpConnection") -> None:
        self.request, self._connection = request, connection
        self.answered = False
        self.drop_reply = False
        self.delay_seconds = 0.0
        self.on_gone: Callable[[], None] | None = None

    def respond(self, status: int, body: bytes, content_type: bytes = JSON, extra_headers: bytes = b"") -> None:
        """Send the whole answer; `extra_headers` are complete lines. Too late if the client has gone."""
        if self.answered:
            return
        request = self.request
        ending = b"\r\n" if request.keep_alive else b"Connection: close\r\n\r\n"
        head = b"%bContent-Type: %b\r\nContent-Length: %d\r\n%b%b" % (
            _STATUS_LINES[status], content_type, len(body), extra_headers, ending
        )  # fmt: skip
        self._connection.write(head if request.method == b"HEAD" else head + body)
        self.finish()

    def finish(self) -> None:
        """Go on to the next request once the answer is out, or end."""
        self.answered = True
        self._connection.finished(keep_alive=self.request.keep_alive)

    def drop(self) -> None:
        """End the connection without an answer."""
        self.answered = True
        self._connection.abort()

    def write(self, data: bytes) -> None:
        """Send raw bytes of an answer that goes on (a stream)."""
        self._connection.write(data)

    async def drained(self) -> None:
        """Wait until the client has taken what was written, more or less."""
        await self._connection.writable.wait()


Handler: TypeAlias = Callable[[Exchange], None]


class HttpConnection(asyncio.Protocol):
    """Passes each request as an `Exchange` to the handler."""

    def __init__(self, handle: Handler, connections: "set[HttpConnection]", limit_bytes: int) -> None:
        self._handle, self._connections = handle, connections
        self._reader = RequestReader(limit_bytes, self._received, self._send_continue)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self.current: Exchange | None = None
        self.writable = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client's connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting
        self._connections.add(self)
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Feed the parser. What is not HTTP is answered in JSON, too, and ends the connection (redis-rest.md 3)."""
        try:
            self._reader.feed(data)
        except httptools.HttpParserError:
            self._waiting.clear()
            if self.current is not None:
                self.current.request.keep_alive = False
                return
            length = b"Content-Length: %d\r\n" % len(_UNPARSEABLE)
            head = _STATUS_LINES[400] + b"Content-Type: application/json\r\nConnection: close\r\n" + length
            self.write(head + b"\r\n" + _UNPARSEABLE)
            self.finished(keep_alive=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify what works for a client that has gone at once."""
        del exc
        self._transport = None
        self._connections.discard(self)
        self._waiting.clear()
        self.writable.set()
        exchange, self.current = self.current, None
        if exchange is not None:
            exchange.answered = True
            if exchange.on_gone is not None:
                exchange.on_gone()

    def pause_writing(self) -> None:
        """Pause while the client reads too slowly."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Resume once the client has caught up."""
        self.writable.set()
        self._next()

    def write(self, data: bytes) -> None:
        """Send, unless the client has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def finished(self, *, keep_alive: bool) -> None:
        """End the current exchange."""
        self.current = None
        if not keep_alive:
            if self._transport is not None:
                self._transport.close()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._next)

    def close(self) -> None:
        """End the connection once what was written is out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _received(self, request: Request) -> None:
        if self.current is None and not self._waiting and self.writable.is_set():
            self.current = exchange = Exchange(request, self)
            self._handle(exchange)
            return
        self._waiting.append(request)
        if len(self._waiting) >= _WAITING_LIMIT and self._transport is not None:
            self._transport.pause_reading()

    def _next(self) -> None:
        if self._waiting and self.current is None and self.writable.is_set():
            self.current = exchange = Exchange(self._waiting.popleft(), self)
            if self._transport is not None:
                self._transport.resume_reading()
            self._handle(exchange)

    def _send_continue(self) -> None:
        if self.current is None:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")


_log = logging.getLogger(__name__)


class Background:
    """Runs coroutines on behalf of exchanges."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        """Start `work`; it is cancelled when the client goes away."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        exchange.on_gone = lambda: _cancel(task)
        task.add_done_callback(lambda finished: self._finished(exchange, finished))

    async def close(self) -> None:
        """End everything that still runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            if not exchange.answered:
                exchange.drop()
            return
        error = task.exception()
        if error is not None:
            _log.error("a request failed in the bridge", exc_info=error)
            exchange.respond(500, b'{"error":"ERR internal error of the bridge; see its log"}')


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
