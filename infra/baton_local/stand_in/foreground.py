"""Serves an ASGI application over TCP in the foreground, until a signal or until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Collection

from baton_local.stand_in.asgi import App
from baton_local.stand_in.http_connection import HttpConnection

# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_LOOK_EVERY_SECONDS = 10
_GRACE_SECONDS = 2.0
_BACKLOG = 2_048


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a socket that takes callers there, and its URL.

    Raises:
        OSError: that is not possible; the text says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
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
            await asyncio.wait_for(stopped.wait(), _LOOK_EVERY_SECONDS)
    server.close()
    await _end(connections)


async def _end(connections: Collection[HttpConnection]) -> None:
    """Let requests under way be answered for a moment."""
    closed = [connection.closed for connection in connections]
    for connection in list(connections):
        connection.close_when_done()
    if closed:
        await asyncio.wait(closed, timeout=_GRACE_SECONDS)
