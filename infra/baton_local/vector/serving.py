"""Serves the application over TCP in the foreground until a signal."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
import uvloop

from baton_local.vector.server import running
from baton_local.vector.settings import Settings
from baton_local.vector.wire.asgi import AsgiApp

# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_STOP_GRACE_SECONDS = 2
_BACKLOG = 1_024

Ready = Callable[[str, str], None]


class _Server(uvicorn.Server):
    """Uvicorn that reports when it listens, and leaves signals to us (its own way ends with the signal's exit code)."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT; `on_ready` gets the URL and the token once requests would succeed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener = _listen(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    async with running(settings) as ready:
        server = _Server(_config(ready.app, settings.proof), lambda: on_ready(url, ready.token))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        await server.serve(sockets=[listener])
    return 0


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise OSError(
            f"cannot listen on {settings.host}:{settings.port} ({error}); choose another port with --port"
        ) from error


def _config(app: AsgiApp, proof: str | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        http="httptools",
        ws="none",
        loop="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        headers=[("Part-Proof", proof)] if proof else [],
        timeout_keep_alive=_CLIENT_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_GRACE_SECONDS,
    )
