"""`python -m baton_local.redis.bridge`: the bridge in the foreground, in front of a server that runs already.

Its options and its life serve the server together with the bridge, too (`python -m baton_local.redis`), as this
process's own child, in a session of its own: started, watched, started again when it dies, stopped last. Invariant: the
ready lines are printed when a command would succeed, not before; SIGTERM and SIGINT end with exit code 0 and with
nothing left running. Only here are parts connected to each other; making a `Bridge` opens nothing, starting it does.
"""

import argparse
import asyncio
import importlib.util
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from baton_local.redis.commands.access import Tokens
from baton_local.redis.commands.command_table import CommandTable
from baton_local.redis.commands.prepare import Preparer
from baton_local.redis.link.address import ServerAddress
from baton_local.redis.link.link import LinkLimits, RedisLink
from baton_local.redis.link.resp import Reply
from baton_local.redis.rest.counters import Counters
from baton_local.redis.rest.http_connection import Background, HttpConnection
from baton_local.redis.rest.replies import Answers
from baton_local.redis.rest.runner import Faults, Runner
from baton_local.redis.rest.service import Admin, Service
from baton_local.redis.rest.streams import Streams
from baton_local.stand_in.http_server import listen

_log = logging.getLogger(__name__)

_CHILD_STOP_SECONDS = 10.0
_SHORT_LIFE_SECONDS = 2.0
_SHORT_LIVES_LIMIT = 5
_FIRST_START_SECONDS = 10.0
_RESTART_DELAY_SECONDS = 0.1


class ChildFailedError(Exception):
    """The server will not stay up; its log says why."""


class ServerChild:
    """Keeps one child process running."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Start the server, and start it again whenever it dies; ends by cancellation.

        Raises ChildFailedError: its first start failed (a wrong folder, no binary), or it dies again and again.
        """
        loop = asyncio.get_running_loop()
        lives = short_lives = 0
        while True:
            began_seconds = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
            status = await self._process.wait()
            lives += 1
            lived_seconds = loop.time() - began_seconds
            short_lives = short_lives + 1 if lived_seconds < _SHORT_LIFE_SECONDS else 0
            if (
                lives == 1 and status > 0 and lived_seconds < _FIRST_START_SECONDS
            ) or short_lives >= _SHORT_LIVES_LIMIT:
                raise ChildFailedError(f"the Redis server ended with status {status} after {lived_seconds:.1f} s")
            _log.warning("the Redis server ended with status %s; starting it again", status)
            await asyncio.sleep(_RESTART_DELAY_SECONDS)

    async def stop(self) -> None:
        """End the child: by asking, then by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_CHILD_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


_STOP_TIMEOUT_SECONDS = 2.0
_STOP_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """What a bridge needs to know; `sync_token_prefix` differs at each start."""

    server: ServerAddress
    tokens: Tokens
    sync_token_prefix: str
    host: str = "127.0.0.1"
    port: int = 8079
    faults: bool = False
    proof: str | None = None  # what `/readyz` shows, so that its starter knows it among others
    shows_token: bool = True  # at the start; not where its starter gave it by the environment
    request_limit_bytes: int = 10 * 1024 * 1024
    key_limit_bytes: int = 32 * 1024
    link_limits: LinkLimits = field(default_factory=LinkLimits)


class Bridge:
    """A running REST endpoint in front of a server."""

    def __init__(self, settings: BridgeSettings) -> None:
        self._settings = settings
        self._connections: set[HttpConnection] = set()
        self._background = Background()
        self._listener: asyncio.Server | None = None
        counters = Counters()
        faults = Faults() if settings.faults else None
        table = CommandTable()

        def connected(info: Reply, commands: Reply) -> None:
            counters.connected(info)
            table.read_reply(commands)

        self._link = RedisLink(settings.server, settings.link_limits, connected)
        answers = Answers(settings.sync_token_prefix.encode(), counters)
        runner = Runner(
            self._link, Preparer(table, settings.key_limit_bytes), answers, counters, self._background, faults
        )
        admin = Admin(self._link, answers, counters, faults, settings.proof)
        self._service = Service(
            settings.tokens,
            runner,
            Streams(settings.server, answers, self._background),
            answers,
            counters,
            settings.request_limit_bytes,
            admin.ready,
            {b"admin/counters": admin.counters, b"admin/faults": admin.faults},
        )

    async def start(self) -> str:
        """Listen and begin to connect; returns the URL. Raises OSError: the port is taken."""
        handle, connections, limit_bytes = self._service.handle, self._connections, self._settings.request_limit_bytes
        loop = asyncio.get_running_loop()
        listener, url = listen(self._settings.host, self._settings.port)
        self._listener = await loop.create_server(
            lambda: HttpConnection(handle, connections, limit_bytes), sock=listener, backlog=1024
        )
        self._link.start()
        return url

    async def ready(self) -> None:
        """Return once commands would succeed."""
        await self._link.connected.wait()

    async def close(self) -> None:
        """Stop listening, let requests that are being answered finish for a moment, end the rest."""
        if self._listener is not None:
            self._listener.close()
        await self._background.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STOP_TIMEOUT_SECONDS
        while loop.time() < deadline and any(c.current for c in self._connections):  # noqa: ASYNC110 - ends within the time-out
            await asyncio.sleep(_STOP_POLL_SECONDS)
        for connection in list(self._connections):
            connection.close()
        await self._link.close()


DEFAULT_PORT = 8079
# What must not stand in a process list may come from here instead; an option wins.
TOKEN, PROOF = "LOCAL_REDIS_TOKEN", "LOCAL_PART_PROOF"


def add_bridge_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--read-only-token", help="a second token that may only read")
    parser.add_argument("--faults", action="store_true", help="enable POST /admin/faults, for tests")


def bridge_settings(
    options: argparse.Namespace, server: ServerAddress, token: str, environment: Mapping[str, str]
) -> BridgeSettings:
    read_only: str | None = options.read_only_token
    return BridgeSettings(
        server=server,
        tokens=Tokens(token.encode(), read_only.encode() if read_only else None),
        sync_token_prefix=secrets.token_hex(4) + "-",
        host=options.host,
        port=options.port,
        faults=options.faults,
        proof=environment.get(PROOF),
        shows_token=TOKEN not in environment,
    )


def run(settings: BridgeSettings, child: ServerChild | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s redis: %(message)s")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings, child))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop where there is one (it has no build for Windows and PyPy), else asyncio's own."""
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
        print(f"redis: {error}", file=sys.stderr)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.redis.bridge",
        description="Answer as an Upstash Redis REST database, with a running Valkey or Redis server behind.",
    )
    parser.add_argument("--server", required=True, help="unix:/path/to/socket or host:port")
    environment = os.environ  # noqa: TID251 - the one place of this entry point that reads it
    parser.add_argument(
        "--token",
        default=environment.get(TOKEN),
        required=TOKEN not in environment,
        help=f"the token that callers must send; also as {TOKEN}",
    )
    add_bridge_options(parser)
    options = parser.parse_args(arguments)
    try:
        server = ServerAddress.from_text(options.server)
    except ValueError as error:
        parser.error(str(error))
    return run(bridge_settings(options, server, options.token, environment))


if __name__ == "__main__":
    sys.exit(main())
