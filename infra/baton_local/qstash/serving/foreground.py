"""Serves the application over TCP in the foreground until a signal, or until the disk refuses."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Collection

import uvloop

from baton_local.qstash.core.tenant import SigningKeys
from baton_local.qstash.server import create_app
from baton_local.qstash.serving.http_connection import HttpConnection
from baton_local.qstash.settings import Settings

# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_LOOK_EVERY_SECONDS = 10
_GRACE_SECONDS = 2.0
_BACKLOG = 2_048

_log = logging.getLogger(__name__)

Ready = Callable[[str, SigningKeys], None]


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT (0), or until the data folder cannot be written (1).

    `on_ready` is told the URL and the first user's signing keys, which a rotation may have changed.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener = _listen(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    app = create_app(settings)
    async with app.running() as engine:
        stopped = asyncio.Event()
        engine.commits.on_broken = stopped.set
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        connections: set[HttpConnection] = set()
        server = await loop.create_server(lambda: HttpConnection(app, connections), sock=listener, backlog=_BACKLOG)
        on_ready(url, engine.state.tenant(settings.users[0].id).keys)
        while not stopped.is_set():
            for connection in list(connections):
                connection.close_if_unused(loop.time() - _CLIENT_KEEP_ALIVE_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), _LOOK_EVERY_SECONDS)
        server.close()
        await _end(connections)
        if engine.commits.broken is not None:
            _log.critical("%s", engine.commits.broken)
        return 0 if engine.commits.broken is None else 1


async def _end(connections: Collection[HttpConnection]) -> None:
    """Let requests under way be answered for a moment."""
    closed = [connection.closed for connection in connections]
    for connection in list(connections):
        connection.close_when_done()
    if closed:
        await asyncio.wait(closed, timeout=_GRACE_SECONDS)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose another port with --port"
        ) from error
