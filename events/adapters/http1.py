"""HTTP/1.1 below httpx over asyncio's own connections: a quarter of the CPU time of httpx's own for a request.

Invariants: nothing is sent twice; a request that is given up closes its connection; one that is old,
or that the server closed, is not used again. Must not: set time limits, follow redirects, or speak to a proxy.
"""

import asyncio
import ssl
from collections import defaultdict

import httpx

from events.adapters.http1_answer import Answer
from events.adapters.http1_connection import Connection

_PORTS = {"http": 80, "https": 443}
Place = tuple[str, str, int]


class Http1Transport(httpx.AsyncBaseTransport):
    """Connections to any server, made when they are needed, in one event loop.

    `limits`: how many at once, how many are kept, and for how many seconds.
    """

    def __init__(self, ssl_context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self.ssl_context = ssl_context
        self._turn = asyncio.Semaphore(limits.max_connections or 1)
        self._kept_at_most = limits.max_keepalive_connections or 0
        self._kept_seconds = limits.keepalive_expiry or 0.0
        self._free: defaultdict[Place, list[Connection]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, and read the whole answer.

        Raises:
            httpx.ConnectError, ReadError, RemoteProtocolError: what went wrong. LocalProtocolError: no such request.
            DecodingError: the body is not what its headers say.
        """
        url = request.url
        place = (url.scheme, url.host, url.port or _PORTS[url.scheme])
        data = written(request, await request.aread())
        async with self._turn:
            answer = await self._exchange(place, data)
        return httpx.Response(answer.status, headers=answer.headers, content=b"".join(answer.body), request=request)

    async def _exchange(self, place: Place, data: bytes) -> Answer:
        connection = self._kept(place) or await self._connected(place)
        try:
            answer = await connection.exchange(data)
        except BaseException:
            connection.close()
            raise
        free = self._free[place]
        if connection.is_open and len(free) < self._kept_at_most:
            free.append(connection)
        else:
            connection.close()
        return answer

    def _kept(self, place: Place) -> Connection | None:
        """The one that was used last, so that those that are not needed grow old."""
        free, since = self._free[place], asyncio.get_running_loop().time() - self._kept_seconds
        while free:
            connection = free.pop()
            if connection.free_since > since and connection.is_quiet():
                return connection
            connection.close()
        return None

    async def _connected(self, place: Place) -> Connection:
        scheme, host, port = place
        secure = self.ssl_context if scheme == "https" else None
        try:
            _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port, ssl=secure)
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return connection

    async def aclose(self) -> None:
        """Close what is kept; what is under way is its asker's."""
        for free in self._free.values():
            for connection in free:
                connection.close()
        self._free.clear()


def written(request: httpx.Request, body: bytes) -> bytes:
    """A request as it is sent.

    Raises:
        httpx.LocalProtocolError: a header would break it apart.
    """
    head = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    head += [b"%b: %b" % header for header in request.headers.raw]
    text = b"\r\n".join(head)
    if not text.count(b"\n") == text.count(b"\r") == len(head) - 1:
        raise httpx.LocalProtocolError("a header holds a line break; remove it")
    return b"%b\r\n\r\n%b" % (text, body)
