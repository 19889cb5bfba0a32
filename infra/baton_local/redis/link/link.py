"""The bridge's lasting link to the server, made again whenever it is gone; and side connections for some commands.

Invariants: `send` answers promptly whatever the server does: through the shared connection, or with `lost` when there
is none, when too much is in flight, or when the server has stopped answering. It never resends, because the server may
have run what is lost (redis-rest.md 10). The frames of a batch are written in one go, so a transaction never has a gap,
and each batch ends exactly once: with all of its replies, or as lost. Commands that block, or must overtake one that
does, get a side connection and never touch the shared one. Their number is bounded; each is closed with the work that
it was opened for, also when the client goes away first.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

from baton_local.redis.link.address import ServerAddress
from baton_local.redis.link.resp import Reply, ReplyParser, ResponseSyntaxError, ServerError, encode_command

Done: TypeAlias = Callable[[list[Reply]], None]
Lost: TypeAlias = Callable[[str], None]

_log = logging.getLogger(__name__)


class _Batch:
    __slots__ = ("count", "done", "lost", "replies", "sent_at_seconds")

    def __init__(self, count: int, done: Done, lost: Lost, sent_at_seconds: float) -> None:
        self.count, self.done, self.lost, self.sent_at_seconds = count, done, lost, sent_at_seconds
        self.replies: list[Reply] = []


class ServerConnection(asyncio.Protocol):
    """The multiplexed connection; it lives until either side closes it."""

    def __init__(self, on_closed: Callable[[], None]) -> None:
        self._on_closed = on_closed
        self._parser = ReplyParser()
        self._batches: deque[_Batch] = deque()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.commands_in_flight = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open socket."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting

    def send(self, frames: bytes, count: int, done: Done, lost: Lost) -> None:
        """Write `frames`, which hold `count` commands; one of the two callbacks will be called."""
        if self._transport is None or self._transport.is_closing():
            lost("the connection to the Redis server is closed; the command was not sent")
            return
        self._batches.append(_Batch(count, done, lost, self._loop.time()))
        self.commands_in_flight += count
        self._transport.write(frames)

    def data_received(self, data: bytes) -> None:
        """Give the replies to the batches that wait for them."""
        try:
            replies = self._parser.feed(data)
        except ResponseSyntaxError as error:
            _log.warning("closing the connection to the Redis server: %s", error)
            self.abort()
            return
        for reply in replies:
            if not self._batches:
                _log.warning("closing the connection to the Redis server: a reply without a request")
                self.abort()
                return
            batch = self._batches[0]
            batch.replies.append(reply)
            if len(batch.replies) == batch.count:
                self._batches.popleft()
                self.commands_in_flight -= batch.count
                batch.done(batch.replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up everything in flight: applied or not, it cannot be known."""
        self._transport = None
        reason = "the connection to the Redis server was lost; the command may or may not have been applied"
        self._on_closed()
        while self._batches:
            self._batches.popleft().lost(reason)
        self.commands_in_flight = 0
        if exc is not None:
            _log.warning("connection to the Redis server lost: %s", exc)

    @property
    def unsent_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def oldest_wait_seconds(self) -> float:
        """Return how long the batch at the head has been waiting for its replies."""
        return self._loop.time() - self._batches[0].sent_at_seconds if self._batches else 0.0

    def abort(self) -> None:
        """Close at once; what is in flight is lost."""
        if self._transport is not None:
            self._transport.abort()


CLIENT_NAME = b"redis-rest-bridge"

# PING tells whether the server is still loading; INFO and COMMAND what it is and what it can do.
_GREETING = b"".join(
    map(encode_command, ([b"CLIENT", b"SETNAME", CLIENT_NAME], [b"PING"], [b"INFO", b"server"], [b"COMMAND"]))
)


class RedisUnavailableError(Exception):
    """There is no working connection to the server, or it was lost with the command in flight."""


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """How much may wait, and for how long."""

    commands_in_flight: int = 100_000
    unsent_bytes: int = 256 * 1024 * 1024
    reply_timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 2.0
    first_retry_seconds: float = 0.02
    longest_retry_seconds: float = 0.5


class RedisLink:
    """Sends batches over the shared connection and keeps that connection alive.

    `on_connected` is given the server's answers to INFO and COMMAND before anything else is sent.
    """

    def __init__(
        self, address: ServerAddress, limits: LinkLimits, on_connected: Callable[[Reply, Reply], None]
    ) -> None:
        self.address, self._limits, self._on_connected = address, limits, on_connected
        self._connection: ServerConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    def start(self) -> None:
        """Begin to connect; needs a running loop."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())

    async def close(self) -> None:
        """Stop for good; what is in flight is lost."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._connection is not None:
            self._connection.abort()

    def send(self, frames: bytes, count: int, done: Done, lost: Lost) -> None:
        """Send `count` commands in one go; exactly one of the callbacks is called, perhaps at once."""
        connection = self._connection
        if connection is None:
            lost(f"no connection to the Redis server at {self.address}; the command was not sent")
        elif connection.commands_in_flight + count > self._limits.commands_in_flight:
            lost(f"more than {self._limits.commands_in_flight} commands in flight; the command was not sent")
        elif connection.unsent_bytes > self._limits.unsent_bytes:
            lost(f"more than {self._limits.unsent_bytes} bytes wait for the Redis server; the command was not sent")
        else:
            connection.send(frames, count, done, lost)

    async def call(self, frames: bytes, count: int) -> list[Reply]:
        """Return as `send`, for coroutines. Raises RedisUnavailableError: the batch was refused or lost."""
        outcome: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        self.send(frames, count, *callbacks(outcome))
        return await outcome

    async def _keep_connected(self) -> None:
        retry_seconds = self._limits.first_retry_seconds
        while True:
            closed = asyncio.Event()
            try:
                async with asyncio.timeout(self._limits.connect_timeout_seconds):
                    connection = await self.address.connect(lambda closed=closed: ServerConnection(closed.set))  # type: ignore[misc]
                await self._greet(connection)
            except (OSError, TimeoutError, RedisUnavailableError):
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(retry_seconds * 2, self._limits.longest_retry_seconds)
                continue
            retry_seconds = self._limits.first_retry_seconds
            self._connection = connection
            self.connected.set()
            await self._watch(connection, closed)

    async def _greet(self, connection: ServerConnection) -> None:
        """Name the connection and learn the server's commands; fails while the server loads its data."""
        outcome: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        connection.send(_GREETING, 4, *callbacks(outcome))
        try:
            async with asyncio.timeout(self._limits.connect_timeout_seconds):
                _, pong, info, table = await outcome
        except BaseException:
            connection.abort()
            raise
        if isinstance(pong, ServerError):  # LOADING, say
            connection.abort()
            raise RedisUnavailableError(pong.text.decode("utf-8", "replace"))
        self._on_connected(info, table)

    async def _watch(self, connection: ServerConnection, closed: asyncio.Event) -> None:
        """Return when the connection is gone; end it when the server has stopped answering."""
        while not closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(1.0, self._limits.reply_timeout_seconds)):
                    await closed.wait()
            waited_seconds = connection.oldest_wait_seconds()
            if waited_seconds > self._limits.reply_timeout_seconds:
                _log.warning("the Redis server has not answered for %.0f s; reconnecting", waited_seconds)
                connection.abort()
        self._connection = None
        self.connected.clear()


def callbacks(outcome: asyncio.Future[list[Reply]]) -> tuple[Done, Lost]:
    """Return the two callbacks of a batch, as a future for coroutines."""

    def done(replies: list[Reply]) -> None:
        if not outcome.done():
            outcome.set_result(replies)

    def lost(reason: str) -> None:
        if not outcome.done():
            outcome.set_exception(RedisUnavailableError(reason))

    return done, lost


_WAITING = frozenset({b"WAIT", b"WAITAOF"})
_CONNECT_TIMEOUT_SECONDS = 2.0


class SideConnections:
    """Opens connections besides the shared one."""

    def __init__(self, address: ServerAddress, limit: int = 64) -> None:
        self._address, self._limit = address, limit
        self._open = 0

    async def call(self, commands: list[list[bytes]]) -> list[Reply]:
        """Run commands in order on a fresh connection.

        Raises RedisUnavailableError: no connection, or it was lost before all replies had come.
        """
        if self._open >= self._limit:
            raise RedisUnavailableError(
                f"{self._limit} blocking commands are already waiting; the command was not sent"
            )
        self._open += 1
        try:
            return await self._call(commands)
        finally:
            self._open -= 1

    async def _call(self, commands: list[list[bytes]]) -> list[Reply]:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                connection = await self._address.connect(lambda: ServerConnection(lambda: None))
        except (OSError, TimeoutError):
            raise RedisUnavailableError(f"no connection to the Redis server at {self._address}") from None
        outcome: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        extra = _write_before(commands)
        frames = b"".join([encode_command(command) for command in extra + commands])
        try:
            connection.send(frames, len(extra) + len(commands), *callbacks(outcome))
            return (await outcome)[len(extra) :]
        finally:
            connection.abort()


def _write_before(commands: list[list[bytes]]) -> list[list[bytes]]:
    """Return the commands that make WAIT and WAITAOF mean something on a fresh connection.

    They wait for the connection's own last write, and a fresh one has none. A write that undoes itself within one
    transaction is seen by nobody and comes after every write that the client has had an answer to.
    """
    if not any(command[0].upper() in _WAITING for command in commands):
        return []
    key = b"redis-rest-bridge:" + secrets.token_hex(8).encode()
    return [[b"MULTI"], [b"SET", key, b""], [b"DEL", key], [b"EXEC"]]
