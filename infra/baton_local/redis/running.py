"""A bridge in the foreground: from the first socket to a clean end.

Invariant: the ready lines are printed when a command would succeed, not before; SIGTERM and SIGINT end with exit code
0 and with nothing left running.
"""

import asyncio
import importlib
import importlib.util
import logging
import signal
import sys
from collections.abc import Callable

from baton_local.redis.application import Bridge, BridgeSettings
from baton_local.redis.child import ChildFailedError, ServerChild

_log = logging.getLogger(__name__)


def run(settings: BridgeSettings, child: ServerChild | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s redis: %(message)s")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings, child))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where there is one (it has no build for Windows and PyPy), else asyncio's own."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


async def _serve(settings: BridgeSettings, child: ServerChild | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bridge = Bridge(settings)
    try:
        url = await bridge.start()
    except OSError as error:
        print(
            f"redis: cannot listen on {settings.host}:{settings.port}: {error}; choose another --port", file=sys.stderr
        )
        return 1
    server = loop.create_task(child.run() if child is not None else asyncio.Event().wait())
    announcing = loop.create_task(_announce(bridge, url, settings))
    stopping = loop.create_task(stop.wait())
    try:
        await asyncio.wait({server, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return _outcome(server)
    finally:
        for task in (announcing, stopping, server):
            task.cancel()
        await bridge.close()
        if child is not None:
            await child.stop()
        await asyncio.gather(announcing, stopping, server, return_exceptions=True)


def _outcome(server: asyncio.Task[object]) -> int:
    if not server.done():
        return 0
    error = server.exception()
    if not isinstance(error, ChildFailedError):
        _log.error("the Redis server could not be run", exc_info=error)
    else:
        _log.error("%s", error)
    return 1


async def _announce(bridge: Bridge, url: str, settings: BridgeSettings) -> None:
    await bridge.ready()
    print(f"Redis REST listening on {url}", flush=True)
    if not settings.shows_token:
        return
    print(f"export UPSTASH_REDIS_REST_URL={url}", flush=True)
    print(f"export UPSTASH_REDIS_REST_TOKEN={settings.tokens.token.decode()}", flush=True)
