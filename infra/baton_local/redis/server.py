"""The real server behind the bridge: where it listens, the connection that commands share, and others for some.

Invariants: a batch is written in one go, so a transaction has no gap, and ends once: with all of its replies, or lost.
What is lost is never sent again, because the server may have run it (redis-rest.md 10). A command that blocks, or must
overtake a running script, and a stream have a connection of their own, which ends with them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from baton_local.redis.resp import Reply, ReplyParser, ResponseSyntaxError, ServerError, encode_command

_UNIX = "unix:"
_HIGHEST_PORT = 65_535
_CONNECT_TIMEOUT_SECONDS = 2.0
# PING tells whether the server is still loading, INFO which one it is.
_GREETING = ([b"PING"], [b"INFO", b"server"])
_LOST = "the connection to the Redis server was lost; the command may or may not have been applied"

_log = logging.getLogger(__name__)


class RedisUnavailableError(Exception):
    """There is no working connection to the server, or it was lost with the command in flight."""


class Replies(asyncio.Future[list[Reply]]):
    """So many replies to come; who waits for them goes on at once, not in the loop's next round, which costs more.

    They come in a callback of the loop, never while a task is being run, since no task runs inside another.
    """

    __slots__ = ("count", "go_on", "since_seconds")

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.since_seconds = count, self.get_loop().time()
        self.go_on: Callable[[Any], object] | None = None

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Remember who waits; failure and cancellation reach it as with any future."""
        self.go_on = fn
        super().add_done_callback(fn, context=context)

    def has_waited_over(self, seconds: float) -> bool:
        return self.get_loop().time() - self.since_seconds > seconds

    def come(self, replies: list[Reply]) -> None:
        """Hand them to who waits, unless it has given up."""
        if self.done():
            return
        if self.go_on is not None:
            self.remove_done_callback(self.go_on)
        self.set_result(replies)
        if self.go_on is not None:
            self.go_on(self)


class Connection(asyncio.Protocol):
    """One connection to the server; replies go to those who wait for them, in order."""

    def __init__(self) -> None:
        self._parser = ReplyParser()
        self._replies: list[Reply] = []  # that nobody waits for yet
        self._waiting: deque[Replies] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open socket."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting

    def data_received(self, data: bytes) -> None:
        """Hand out replies; where nobody waits for them, take no more for now."""
        try:
            self._replies += self._parser.feed(data)
        except ResponseSyntaxError as error:
            _log.warning("closing the connection to the Redis server: %s", error)
            self.close()
        self._hand_out()
        if self._replies and not self._waiting:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what is in flight: applied or not, it cannot be known."""
        del exc
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(RedisUnavailableError(_LOST))

    def is_usable(self, reply_timeout_seconds: float) -> bool:
        """Return whether more can be sent. A server is hung up on that has stopped answering, or is out of step.

        A reply that nobody asked for would shift all that follow.
        """
        if self._waiting[0].has_waited_over(reply_timeout_seconds) if self._waiting else self._replies:
            _log.warning("the Redis server has not answered for long, or what it was not asked; reconnecting")
            self.close()
        return not self._transport.is_closing()

    def call(self, commands: Sequence[list[bytes]]) -> Replies:
        """Send commands, and return what their replies come in. It raises RedisUnavailableError: they are lost."""
        self._transport.write(b"".join(map(encode_command, commands)))
        return self.replies(len(commands))

    def replies(self, count: int) -> Replies:
        """Return what so many replies come in, those that were sent without being asked for."""
        coming = Replies(count)
        if self._transport.is_closing():
            coming.set_exception(RedisUnavailableError(_LOST))
            return coming
        self._waiting.append(coming)
        if self._replies:
            self._hand_out()
            self._transport.resume_reading()
        return coming

    def close(self) -> None:
        """End it at once; what is in flight is lost."""
        self._transport.abort()

    def _hand_out(self) -> None:
        while self._waiting and len(self._replies) >= self._waiting[0].count:
            coming = self._waiting.popleft()
            replies, self._replies = self._replies[: coming.count], self._replies[coming.count :]
            coming.come(replies)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens: either `socket_path`, or `host` and `port`."""

    socket_path: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `unix:/path/to/socket` or `host:port`. Raises ValueError: the text is neither."""
        if text.startswith(_UNIX) and len(text) > len(_UNIX):
            return cls(socket_path=Path(text.removeprefix(_UNIX)))
        host, colon, port = text.rpartition(":")
        if colon and host and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT:
            return cls(host=host.strip("[]"), port=int(port))
        raise ValueError(f"{text!r} is no server address: give unix:/path/to/socket or host:port")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.socket_path is None else f"{_UNIX}{self.socket_path}"

    async def connect(self) -> Connection:
        """Open a connection. Raises RedisUnavailableError: nobody listens there."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                if self.socket_path is not None:
                    return (await loop.create_unix_connection(Connection, str(self.socket_path)))[1]
                return (await loop.create_connection(Connection, self.host, self.port))[1]
        except (OSError, TimeoutError):
            raise RedisUnavailableError(
                f"no connection to the Redis server at {self}; the command was not sent"
            ) from None


class Server:
    """Runs batches of commands; `on_greeted` is given the answer to INFO of each new shared connection."""

    def __init__(
        self, address: ServerAddress, on_greeted: Callable[[Reply], None], reply_timeout_seconds: float = 60.0
    ) -> None:
        self.address, self._on_greeted, self._timeout_seconds = address, on_greeted, reply_timeout_seconds
        self._shared: Connection | None = None
        self._connecting = asyncio.Lock()

    async def call(self, commands: Sequence[list[bytes]]) -> list[Reply]:
        """Return the replies to commands. Raises RedisUnavailableError: there is no server, or they were lost."""
        connection = self._shared
        if connection is None or not connection.is_usable(self._timeout_seconds):
            connection = await asyncio.get_running_loop().create_task(self._connected())
        return await connection.call(commands)

    async def call_apart(self, commands: Sequence[list[bytes]]) -> list[Reply]:
        """Return the same over a connection of its own."""
        connection = await self.connect()
        try:
            return await connection.call(commands)
        finally:
            connection.close()

    def connect(self) -> Awaitable[Connection]:
        """Open one."""
        return asyncio.get_running_loop().create_task(self.address.connect())

    def close(self) -> None:
        if self._shared is not None:
            self._shared.close()

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._shared is not None and self._shared.is_usable(self._timeout_seconds):
                return self._shared
            connection = await self.address.connect()
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                    pong, info = await connection.call(_GREETING)
            except BaseException:
                connection.close()
                raise
            if isinstance(pong, ServerError):  # it still loads its data, say
                connection.close()
                raise RedisUnavailableError(pong.text.decode("utf-8", "replace"))
            self._on_greeted(info)
            self._shared = connection
            return connection
