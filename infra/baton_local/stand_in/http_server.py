"""Serves an ASGI application over HTTP/1.1 in the foreground, until a signal or until it is told to stop.

Written on httptools, because a general server's objects, timers and two writes an answer cost a publish more than the
publish itself.
Invariant: one request of a connection is answered at a time; those behind it wait, and so does the reading, so that
what is kept of a caller is bounded.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Collection, MutableSet
from typing import cast

from baton_local.stand_in.asgi import App, BadRequestError, Event, Exchange, RequestReader

_MAX_BUFFERED_BYTES = 65_536
_LINGER_SECONDS = 2.0  # RFC 9112 9.6
_log = logging.getLogger(__name__)


class HttpConnection(asyncio.Protocol):
    """Passes the requests of one connection to an ASGI application."""

    def __init__(self, app: App, connections: MutableSet["HttpConnection"]) -> None:
        self._app = app
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(self)
        self._exchanges: deque[Exchange] = deque()
        self._incoming: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = self._choked = self._closing = False
        self._active_at = self._loop.time()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def close_if_unused(self, since: float) -> None:
        """End if no request is under way and nothing has come since then."""
        if not self._exchanges and self._active_at < since:
            self._transport.abort()

    def close_when_done(self) -> None:
        """Answer what has come, and end."""
        self._closing = True
        if not self._exchanges:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a caller's connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting
        self._client = transport.get_extra_info("peername")
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser with a part of a request, or several."""
        if self._closing:
            return
        self._active_at = self._loop.time()
        try:
            self._reader.feed(data)
        except BadRequestError as error:
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the caller has gone; complete requests are still handled."""
        del exc
        self._closing = True
        self._connections.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)
        for exchange in self._exchanges:
            exchange.lost()

    def pause_writing(self) -> None:
        """Pause while the caller does not take the answers."""
        self._choked = True

    def resume_writing(self) -> None:
        """Resume once the caller takes them again."""
        self._choked = False
        self._go_on()

    def begin(self, scope: Event, *, keep_alive: bool) -> None:
        """Begin a request that was read up to its body."""
        scope["client"] = self._client
        self._incoming = Exchange(scope, self._transport.write, self._regulate, keep_alive=keep_alive)
        self._exchanges.append(self._incoming)
        if self._incoming.awaits_continue or self._incoming.declared_bytes > _MAX_BUFFERED_BYTES:
            self._go_on()

    def body(self, data: bytes) -> None:
        """Keep a piece of the body; pass a large one on before it is complete."""
        if self._incoming is not None:
            self._incoming.feed(data)
            if self._incoming.buffered_bytes > _MAX_BUFFERED_BYTES:
                self._go_on()

    def end(self) -> None:
        """Complete the request."""
        if self._incoming is not None:
            self._incoming.end()
            self._incoming = None
            self._go_on()

    def _go_on(self) -> None:
        """Answer the next request if it is its turn."""
        if self._task is None and self._exchanges and not self._choked:
            self._task = self._loop.create_task(self._exchanges[0].run(self._app))
            self._task.add_done_callback(self._done)
        self._regulate()

    def _done(self, task: asyncio.Task[None]) -> None:
        exchange, self._task = self._exchanges.popleft(), None
        if not exchange.answered:
            if not task.cancelled():
                _log.error("a request was left without an answer", exc_info=task.exception())
            self._transport.abort()
        elif not exchange.keep_alive or (self._closing and not self._exchanges):
            self._end(at_once=exchange.complete)
        else:
            self._go_on()

    def _regulate(self) -> None:
        """Read on only while there is room for what comes."""
        incoming_bytes = 0 if self._incoming is None else self._incoming.buffered_bytes
        full = len(self._exchanges) > 1 or incoming_bytes > _MAX_BUFFERED_BYTES
        if full != self._paused and not self._transport.is_closing():
            self._paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _refuse(self, error: BadRequestError) -> None:
        """Refuse what follows; answer earlier requests first."""
        self._closing = True
        if self._exchanges:
            self._exchanges[-1].keep_alive = False
            return
        body = json.dumps({"error": str(error)}).encode()
        head = f"HTTP/1.1 {error.status.value} {error.status.phrase}\r\ncontent-type: application/json\r\n"
        self._transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self._end(at_once=False)

    def _end(self, *, at_once: bool) -> None:
        """End the answers, and read on: a close on a caller who still sends could destroy the answer."""
        self._closing = True
        if at_once:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()
            self._loop.call_later(_LINGER_SECONDS, self._transport.abort)


# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_POLL_EVERY_SECONDS = 10
_GRACE_SECONDS = 2.0
_BACKLOG = 2_048


# In a part's environment: the number of the socket that its supervisor listens on for it, so that a port is held, and
# callers wait, while the part starts (again).
GIVEN_SOCKET = "LOCAL_PART_SOCKET"


def given_socket() -> socket.socket | None:
    """Return the socket that this process was given; no process that it starts has it."""
    number = os.environ.pop(GIVEN_SOCKET, "")  # noqa: TID251 - no setting of the product
    return socket.socket(fileno=int(number)) if number else None


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a socket that takes callers there (the one that was given, if there is one), and its URL.

    Raises:
        OSError: that is not possible; the text says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = given_socket() or socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"cannot listen on {host}:{port} ({reason}); choose another port with --port") from error
    return listener, f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


async def serve_until(stopped: asyncio.Event, app: App, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or the event; `on_ready` is called once requests would succeed."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    connections: set[HttpConnection] = set()
    server = await loop.create_server(lambda: HttpConnection(app, connections), sock=listener, backlog=_BACKLOG)
    on_ready()
    while not stopped.is_set():
        for connection in list(connections):
            connection.close_if_unused(loop.time() - _CLIENT_KEEP_ALIVE_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _POLL_EVERY_SECONDS)
    server.close()
    await _end(connections)


async def _end(connections: Collection[HttpConnection]) -> None:
    """Let requests under way be answered for a moment."""
    closed = [connection.closed for connection in connections]
    for connection in list(connections):
        connection.close_when_done()
    if closed:
        await asyncio.wait(closed, timeout=_GRACE_SECONDS)
