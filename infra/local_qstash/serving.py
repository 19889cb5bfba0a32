"""Serves the application over TCP in the foreground until a signal, or until the disk refuses."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
import uvloop

from infra.local_qstash.core.tenant import SigningKeys
from infra.local_qstash.server import App, create_app
from infra.local_qstash.settings import Settings

# Longer than what clients keep connections for, so that none writes into a connection being closed.
_CLIENT_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2_048

Ready = Callable[[str, SigningKeys], None]


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
        keys = engine.state.tenant(settings.users[0].id).keys
        server = _Server(_config(app), lambda: on_ready(url, keys))
        engine.commits.on_broken = server.stop
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        await server.serve(sockets=[listener])
        return 0 if engine.commits.broken is None else 1


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose another port with --port"
        ) from error


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        http="httptools",
        ws="none",
        loop="none",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_CLIENT_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
    )
