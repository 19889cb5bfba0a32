"""HTTP/1.1 below httpx over asyncio's own connections: a quarter of the CPU time of httpx's own for a request.

Invariants: nothing is sent twice; a request that is given up closes its connection and the kept ones to that address; a
connection that is old, or that the server closed, is not used again. Must not: set time limits, follow redirects, or
speak to a proxy.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from typing import Any

import httpx

from baton.store.transport.dialing import Dialer
from baton.store.transport.http import Headers, Refuse
from baton.store.transport.http1_connection import Answer, Connection

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

        Raises:
            httpx.ConnectError, ReadError, RemoteProtocolError: it failed. LocalProtocolError: an invalid request.
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
        """Post, and read the whole answer."""
        last = b"%b: %b\r\nContent-Length: %d" % (*more, len(content))
        return self._transport.send(self._place, b"%b\r\n%b\r\n\r\n%b" % (self._head, last, content))


def _response(answer: Answer, request: httpx.Request | None = None) -> httpx.Response:
    return httpx.Response(answer.status, headers=answer.headers, content=b"".join(answer.body), request=request)


def place_of(url: httpx.URL) -> Place:
    """Return a server's scheme, host and port."""
    return url.scheme, url.host, url.port or _PORTS[url.scheme]


def head_of(method: str, url: httpx.URL, headers: Headers) -> bytes:
    """Build a request's head, without the line break after it.

    Raises:
        httpx.LocalProtocolError: a header would break it apart.
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode(), url.raw_path)]
    lines += [b"%b: %b" % header for header in headers]
    head = b"\r\n".join(lines)
    if not head.count(b"\n") == head.count(b"\r") == len(lines) - 1:
        raise httpx.LocalProtocolError("a header holds a line break; remove it")
    return head
