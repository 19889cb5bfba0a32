"""The smallest HTTP/1.1 server and client with keep-alive, on asyncio's protocols: what Python can reach at best.

The bare hop's queue is made of it, so that the queue does not count. Bodies need a Content-Length.
"""

import asyncio
from collections.abc import Callable
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
Reply = Callable[[bytes], None]


class _Reader(asyncio.Protocol):
    """Cuts a stream of bytes into heads and bodies."""

    def __init__(self) -> None:
        self._buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # another loop has classes of its own

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(_HEAD_END)) >= 0:
            head = self._buffer[:end]
            lower = head.lower()
            at = lower.find(_LENGTH)
            size = int(lower[at + len(_LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0
            whole = end + len(_HEAD_END) + size
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + len(_HEAD_END) : whole], self._buffer[whole:]
            self.message(head, body)

    def message(self, head: bytes, body: bytes) -> None:
        raise ConnectionError(f"nobody waits for {head[:40]!r} with {len(body)} bytes")


class BareServer(_Reader):
    """One connection of a server; the handler is told head, body, and how to reply."""

    def __init__(self, handler: Callable[[bytes, bytes, Reply], None]) -> None:
        super().__init__()
        self._handler = handler

    def message(self, head: bytes, body: bytes) -> None:
        self._handler(head, body, self._reply)

    def _reply(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


class _Connection(_Reader):
    def __init__(self) -> None:
        super().__init__()
        self.waiting: asyncio.Future[tuple[int, bytes]] | None = None

    def message(self, head: bytes, body: bytes) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting and not waiting.done():
            waiting.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(ConnectionError("the connection was closed"))


class BareClient:
    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._free: list[_Connection] = []

    async def post(self, path: bytes, body: bytes, headers: bytes = b"") -> tuple[int, bytes]:
        connection = await self._connection()
        waiting = connection.waiting = asyncio.get_running_loop().create_future()
        head = b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
        connection.transport.write(head % (path, len(body), headers) + body)
        answer: tuple[int, bytes] = await waiting
        self._free.append(connection)
        return answer

    async def _connection(self) -> _Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.transport.is_closing():
                return connection
        return (await asyncio.get_running_loop().create_connection(_Connection, *self._address))[1]
