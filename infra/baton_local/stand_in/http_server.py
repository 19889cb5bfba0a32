"""Serves an ASGI application over HTTP/1.1 in the foreground, until a signal or until it is told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn

from baton_local.stand_in.asgi import App

# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 2
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


class _Server(uvicorn.Server):
    """Uvicorn's, which says when it serves and ends with an event; the signals are its caller's."""

    def __init__(self, config: uvicorn.Config, stopped: asyncio.Event, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopped, self._on_ready = stopped, on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to end."""
        return await super().on_tick(counter) or self._stopped.is_set()


async def serve_until(stopped: asyncio.Event, app: App, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or the event; `on_ready` is called once requests would succeed."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    config = uvicorn.Config(
        cast("Any", app),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_CLIENT_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    await _Server(config, stopped, on_ready).serve(sockets=[listener])
