"""Serves the application over TCP in the foreground until a signal, or until the disk refuses."""

import asyncio
import logging
from collections.abc import Callable

import uvloop

from baton_local.qstash.core.tenant import SigningKeys
from baton_local.qstash.server import create_app
from baton_local.qstash.settings import Settings
from baton_local.stand_in.foreground import listen, serve_until

_log = logging.getLogger(__name__)

Ready = Callable[[str, SigningKeys], None]


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT (0), or until the data folder cannot be written (1).

    `on_ready` is told the URL and the first user's signing keys, which a rotation may have changed.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener, url = listen(settings.host, settings.port)
    app = create_app(settings)
    async with app.running() as engine:
        stopped = asyncio.Event()
        engine.commits.on_broken = stopped.set
        keys = engine.state.tenant(settings.users[0].id).keys
        await serve_until(stopped, app, listener, lambda: on_ready(url, keys))
        if engine.commits.broken is not None:
            _log.critical("%s", engine.commits.broken)
        return 0 if engine.commits.broken is None else 1
