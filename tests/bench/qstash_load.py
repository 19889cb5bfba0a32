"""Publishers and destination of the hop's benchmark: a number of messages kept on their way through one server.

Bare HTTP over kept connections, as little work as possible for each message, so that what is measured is the server.
Each message has a number in its body, by which its delivery finds the time of its publish.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from baton_local.qstash.settings import DEVELOPMENT_USERS

_NUMBER_BYTES = 8
_START, _END = b'{"id": "evt_', b'", "type": "agent.loop.init", "payload": "' + b"x" * 300 + b'"}'
_BODY_BYTES = len(_START) + _NUMBER_BYTES + len(_END)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_LENGTH = b"content-length: "
_LIMIT_SECONDS = 20


def messages_in(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The complete HTTP messages (head, body), and what is left; a body comes with its length."""
    found = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        head = data[:end].lower()
        at = head.find(_LENGTH)
        body_end = end + 4 + (int(head[at + len(_LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0)
        if len(data) < body_end:
            break
        found.append((head, data[end + 4 : body_end]))
        data = data[body_end:]
    return found, data


class Connection(asyncio.Protocol):
    """Keeps a connection and hands over each complete HTTP message."""

    def __init__(self, take: Callable[["Connection", bytes, bytes], None]) -> None:
        self._take = take
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """One or more messages, or a part of one."""
        found, self._rest = messages_in(self._rest + data)
        for head, body in found:
            self._take(self, head, body)


@dataclass(frozen=True)
class Run:
    """What one run saw."""

    delivered: int
    seconds: float
    latencies_ms: list[float]  # from publish to delivery, in ascending order


class Load:
    """The destination `url`, and runs against it."""

    def __init__(self) -> None:
        self.url = ""
        self._published_at: dict[bytes, float] = {}
        self._latencies_ms: list[float] = []
        self._free: deque[Connection] = deque()
        self._slots, self._number, self._head = 0, 0, b""
        self._end = self._last = 0.0
        self._all_delivered = asyncio.Event()

    async def listen(self) -> asyncio.Server:
        """Open the destination."""
        make = lambda: Connection(self._delivered)  # noqa: E731 - a factory
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        return server

    async def run(self, port: int, in_flight: int, seconds: float) -> Run:
        """Publish for so long through the server at this port, then wait until everything is delivered."""
        self._head = (
            f"POST /v2/publish/{self.url} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {DEVELOPMENT_USERS[0].token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {_BODY_BYTES}\r\n\r\n"
        ).encode()
        self._latencies_ms, self._slots = [], in_flight
        loop, make = asyncio.get_running_loop(), lambda: Connection(self._answered)
        made = [await loop.create_connection(make, "127.0.0.1", port) for _ in range(in_flight)]
        self._free = deque(connection for _, connection in made)
        started = time.perf_counter()
        self._end = started + seconds
        self._publish()
        await asyncio.sleep(seconds)
        self._all_delivered.clear()
        if self._published_at:
            await asyncio.wait_for(self._all_delivered.wait(), _LIMIT_SECONDS)
        for transport, _ in made:
            transport.close()
        return Run(len(self._latencies_ms), self._last - started, sorted(self._latencies_ms))

    def _delivered(self, connection: Connection, _head: bytes, body: bytes) -> None:
        connection.transport.write(_ANSWER)
        published_at = self._published_at.pop(body[len(_START) : len(_START) + _NUMBER_BYTES], None)
        if published_at is None:
            return  # once more: at least once is what is promised
        self._last = time.perf_counter()
        self._latencies_ms.append((self._last - published_at) * 1_000)
        self._slots += 1
        self._publish()
        if not self._published_at:
            self._all_delivered.set()

    def _answered(self, connection: Connection, head: bytes, body: bytes) -> None:
        if not head.startswith(b"http/1.1 200 "):
            raise RuntimeError(f"a publish was refused: {head!r} {body!r}")
        self._free.append(connection)
        self._publish()

    def _publish(self) -> None:
        while self._free and self._slots and (now := time.perf_counter()) < self._end:
            self._slots -= 1
            self._number += 1
            number = b"%0*d" % (_NUMBER_BYTES, self._number)
            self._published_at[number] = now
            self._free.popleft().transport.write(self._head + _START + number + _END)
