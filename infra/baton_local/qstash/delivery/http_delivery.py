"""Sends attempts over HTTP: keep-alive, a time limit, bounded answers, no redirects (qstash.md 8).

Written on httptools, because an HTTP client's sessions, streams and timers cost a small delivery more than the delivery
itself. Invariants: every attempt ends within its time limit and gives a result; nothing a destination does raises from
here, and what is kept of it is bounded. A connection has one exchange at a time. Path and query go out as given;
normalising would break the signature's `sub` (qstash.md 3, 9).
"""

import asyncio
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit

import httptools

from baton_local.qstash.core.headers import canonical_map
from baton_local.qstash.core.message import AttemptResult, OutgoingRequest

_MAX_HEAD_BYTES = 65_536
# Silence of 25 s before and while an answer is awaited (10 s, then three questions), or a request that nobody took in
# for 60 s; in seconds, and for the last one in milliseconds.
_DEATH = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
_FIRST_FINAL_STATUS, _SWITCHING_PROTOCOLS = 200, 101


def notice_death(made: socket.socket | None) -> None:
    """Have the kernel end a connection whose other side is gone without a word, as far as the system can.

    A machine that vanished would else keep its slot until the delivery's own limit, minutes later.
    """
    if made is None:
        return
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _DEATH.items():
        option = getattr(socket, name, None)
        if option is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)


class Connection(asyncio.Protocol):
    """Use `exchange` while it is free; `on_free` is called when it is free again."""

    def __init__(self, max_body_bytes: int, on_free: Callable[["Connection"], None]) -> None:
        self._max_body_bytes, self._on_free = max_body_bytes, on_free
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[AttemptResult] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._status, self._body_bytes, self._head_complete = 0, 0, False
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self.head_bytes = 0  # of the answer, so far
        self.free_since = 0.0
        self.closed = False

    def exchange(self, request: bytes, seconds: float) -> asyncio.Future[AttemptResult]:
        """Send a request; the answer, TimeoutError, or ConnectionError or ValueError if there comes none."""
        self._status, self._body_bytes, self._head_complete = 0, 0, False
        self._headers, self._body, self.head_bytes = [], [], 0
        self._answer = self._loop.create_future()
        self._limit = self._loop.call_later(seconds, self._fail, TimeoutError())
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Give the connection up, and the exchange with it."""
        self.closed = True
        self._take_answer()
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Get ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting
        notice_death(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer; bytes that were not requested end the connection."""
        if self._answer is None:
            self.close()
            return
        if not self._head_complete:
            self.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()  # it has answered, and now speaks another protocol
        except httptools.HttpParserError as error:
            self._fail(ValueError(f"the answer is not HTTP/1.1 ({error})"))
        if not self._head_complete and self.head_bytes > _MAX_HEAD_BYTES:
            self._fail(ValueError(f"the head of the answer does not end within {_MAX_HEAD_BYTES} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange: a close by the other side may be how a body ends (RFC 9112 6.3)."""
        self.closed = True
        if self._head_complete and exc is None and not self._declares_length():
            self._finish(keep=False)
        else:
            self._fail(ConnectionError(str(exc) if exc else "the connection was closed before the answer was complete"))

    def on_message_begin(self) -> None:
        """Begin an answer, or the announcement of one; refuse a second answer."""
        if self._answer is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the answer; drop one that comes after its body."""
        if not self._head_complete:
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Take the head of the answer, unless it only announces one (1xx)."""
        self._status = self._parser.get_status_code()
        self._head_complete = self._status >= _FIRST_FINAL_STATUS or self._status == _SWITCHING_PROTOCOLS

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; give up the rest at the limit."""
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes >= self._max_body_bytes:
            self._finish(keep=False)

    def on_message_complete(self) -> None:
        """End the answer, or its announcement."""
        if self._head_complete:
            self._finish(keep=self._status != _SWITCHING_PROTOCOLS and self._parser.should_keep_alive())
        else:
            self._headers = []

    def _declares_length(self) -> bool:
        return any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in self._headers)

    def _take_answer(self) -> asyncio.Future[AttemptResult] | None:
        answer, self._answer = self._answer, None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        return None if answer is None or answer.done() else answer

    def _finish(self, *, keep: bool) -> None:
        answer = self._take_answer()
        if answer is None:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer.set_result(AttemptResult(self._status, canonical_map(self._headers), body[: self._max_body_bytes]))
        if keep and not self._transport.get_write_buffer_size():
            self.free_since = self._loop.time()
            self._on_free(self)
        else:
            self.close()

    def _fail(self, error: Exception) -> None:
        answer = self._take_answer()
        if answer is not None:
            answer.set_exception(error)
        self.close()


_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """What a connection leads to; requests to one place share connections."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A place, and the parts of a request that follow from the URL."""

    place: Place
    request_target: str
    host_header: str
    authorization: str | None


@lru_cache(maxsize=1_024)
def target_of(url: str) -> Target:
    """Read a URL; ValueError if nothing can be sent there."""
    if _UNSAFE.search(url):
        raise ValueError(f"URL {url[:200]!r} holds a space or a control character")
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"URL {url[:200]!r} has no http:// or https:// and a host")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    rest = url[url.index("//") + 2 + len(parts.netloc) :].partition("#")[0]
    return Target(
        Place(host, parts.port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "https"),
        rest if rest.startswith("/") else f"/{rest}",
        f"{f'[{host}]' if ':' in host else host}{'' if parts.port is None else f':{parts.port}'}",
        _authorization(parts),
    )


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(credentials.encode()).decode()}"


# Shorter than what servers commonly allow (5 s and more), so that we rarely write into a connection being closed.
_KEEP_ALIVE_SECONDS = 2.0
# A host that drops packets is given up sooner than one that thinks about its answer.
_CONNECT_SECONDS = 30.0
# What may be sent once more when a kept connection was closed just before it was used (RFC 9110 9.2.2).
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})


class HttpDelivery:
    """The delivery function of a running server; how many at once is decided by the state machine."""

    def __init__(self, *, max_response_bytes: int, keep_alive_seconds: float = _KEEP_ALIVE_SECONDS) -> None:
        self._max_response_bytes, self._keep_alive_seconds = max_response_bytes, keep_alive_seconds
        self._loop = asyncio.get_running_loop()
        self._free: dict[Place, list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def __call__(self, request: OutgoingRequest) -> AttemptResult:
        seconds = request.timeout_ms / 1_000
        try:
            return await self._send(request, self._loop.time() + seconds)
        except TimeoutError as error:
            return AttemptResult(error=f"timeout: {str(error) or f'no complete answer within {seconds:g}s'}")
        except (OSError, ValueError) as error:
            return AttemptResult(error=f"{type(error).__name__}: {error}"[:1_000])

    async def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for free in self._free.values():
            for connection in free:
                connection.close()
        self._free.clear()

    async def _send(self, request: OutgoingRequest, deadline: float) -> AttemptResult:
        target = target_of(request.url)
        data = encode(request, target)
        connection = self._take_free(target.place)
        if connection is not None:
            try:
                return await self._exchange(connection, data, deadline)
            except ConnectionError:
                if connection.head_bytes or request.method not in _IDEMPOTENT:
                    raise
        return await self._exchange(await self._connect(target.place, deadline), data, deadline)

    async def _exchange(self, connection: Connection, data: bytes, deadline: float) -> AttemptResult:
        try:
            return await connection.exchange(data, deadline - self._loop.time())
        except asyncio.CancelledError:
            connection.close()
            raise

    async def _connect(self, place: Place, deadline: float) -> Connection:
        make = partial(Connection, self._max_response_bytes, partial(self._put_free, place))
        tls = self._tls if place.secure else None
        at = min(deadline, self._loop.time() + _CONNECT_SECONDS)
        try:
            async with asyncio.timeout_at(at):
                _, connection = await self._loop.create_connection(make, place.host, place.port, ssl=tls)
        except TimeoutError as error:
            raise error if at == deadline else TimeoutError(f"no connection within {_CONNECT_SECONDS:g}s") from error
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _take_free(self, place: Place) -> Connection | None:
        free, oldest = self._free.get(place), self._loop.time() - self._keep_alive_seconds
        while free:
            connection = free.pop()
            if not connection.closed and connection.free_since > oldest:
                return connection
            connection.close()
        return None

    def _put_free(self, place: Place, connection: Connection) -> None:
        self._free.setdefault(place, []).append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keep_alive_seconds, self._close_old)

    def _close_old(self) -> None:
        oldest = self._loop.time() - self._keep_alive_seconds
        for place, free in list(self._free.items()):
            self._free[place] = [each for each in free if not each.closed and each.free_since > oldest]
            for connection in set(free).difference(self._free[place]):
                connection.close()
            if not self._free[place]:
                del self._free[place]
        self._sweep = self._loop.call_later(self._keep_alive_seconds, self._close_old) if self._free else None


def encode(request: OutgoingRequest, target: Target) -> bytes:
    """Return the request as bytes; ValueError if a header would break it apart."""
    lines = [f"{request.method} {target.request_target} HTTP/1.1", f"Host: {target.host_header}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if target.authorization and not any(name.lower() == "authorization" for name, _ in request.headers):
        lines.append(f"Authorization: {target.authorization}")
    if request.body or request.method != "GET":
        lines.append(f"Content-Length: {len(request.body)}")
    head = "\r\n".join(lines)
    if not head.count("\n") == head.count("\r") == len(lines) - 1:
        raise ValueError("a header holds a line break; remove it")
    return f"{head}\r\n\r\n".encode() + request.body
