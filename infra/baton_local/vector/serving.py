"""Serves the application over TCP in the foreground until a signal."""

import asyncio
from collections.abc import Callable

import uvloop

from baton_local.stand_in.foreground import listen, serve_until
from baton_local.vector.server import running
from baton_local.vector.settings import Settings

Ready = Callable[[str, str], None]


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT; `on_ready` gets the URL and the token once requests would succeed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener, url = listen(settings.host, settings.port)
    async with running(settings) as ready:
        await serve_until(asyncio.Event(), ready.app, listener, lambda: on_ready(url, ready.token))
    return 0
