"""One connection to the server, shared by many requests: whole batches out, replies back in order.

Invariant: the frames of a batch are written in one go, so a transaction never has a gap, and each batch ends exactly
once: with all of its replies, or as lost. A lost batch is never written again, because the server may have run it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, cast

from baton_local.redis.link.resp import Reply, ReplyParser, ResponseSyntaxError

Done: TypeAlias = Callable[[list[Reply]], None]
Lost: TypeAlias = Callable[[str], None]

_log = logging.getLogger(__name__)


class _Batch:
    __slots__ = ("count", "done", "lost", "replies", "sent_at_seconds")

    def __init__(self, count: int, done: Done, lost: Lost, sent_at_seconds: float) -> None:
        self.count = count
        self.done = done
        self.lost = lost
        self.sent_at_seconds = sent_at_seconds
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
