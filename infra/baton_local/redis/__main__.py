"""`python -m baton_local.redis`: the real server and the bridge in front of it, or with `--server` the bridge alone.

Invariants: the server is this process's child and ends with it; all data is in one folder. The ready lines are printed
when a command would succeed, not before; SIGTERM and SIGINT end with exit code 0 and with nothing left running.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from baton_local.redis.http_connection import HttpConnection
from baton_local.redis.server import RedisUnavailableError, ServerAddress
from baton_local.redis.service import Service
from baton_local.redis.valkey import DataDir, ServerChild, server_address, server_command
from baton_local.stand_in.folder import DataFolderError, token_of
from baton_local.stand_in.http_server import listen

_BACKLOG = 1024
_STOP_TIMEOUT_SECONDS = 2.0
_STOP_POLL_SECONDS = 0.01
_CONNECT_POLL_SECONDS = 0.02
# What must not stand in a process list may come from here instead; an option wins.
TOKEN, PROOF = "LOCAL_REDIS_TOKEN", "LOCAL_PART_PROOF"

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    environment = os.environ  # noqa: TID251 - the one place of this entry point that reads it
    parser = _parser(environment)
    options = parser.parse_args(arguments)
    child: ServerChild | None = None
    try:
        if options.server is not None:
            address = ServerAddress.from_text(options.server)
        else:
            address, data_dir = server_address(options.data), DataDir(options.data)
            data_dir.prepare()
            data_dir.check_free()
            child = ServerChild(server_command(options.data))
        token: str = options.token or token_of(options.data)
    except ValueError as error:
        parser.error(str(error))
    except DataFolderError as error:
        print(f"redis: {error}", file=sys.stderr)
        return 1
    service = Service(address, token, options.read_only_token, faults=options.faults, proof=environment.get(PROOF))
    shown = None if TOKEN in environment else token
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s redis: %(message)s")
    return uvloop.run(_serve(service, child, (options.host, options.port), shown))


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.redis",
        description="A local Redis with Upstash's REST API: a real server and the bridge in front of it.",
    )
    parser.add_argument("--server", help="one that runs already, unix:/path/to/socket or host:port; it gets no child")
    parser.add_argument("--data", type=Path, default=Path(".baton/redis"), help="data folder (default: %(default)s)")
    parser.add_argument(
        "--token",
        default=environment.get(TOKEN),
        help=f"the token that callers must send; also as {TOKEN} (default: one kept in the data folder)",
    )
    parser.add_argument("--read-only-token", help="a second token that may only read")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8079, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--faults", action="store_true", help="enable POST /admin/faults, for tests")
    return parser


async def _serve(service: Service, child: ServerChild | None, place: tuple[str, int], shown: str | None) -> int:
    stop, loop, connections = asyncio.Event(), asyncio.get_running_loop(), set[HttpConnection]()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        socket, url = listen(*place)
    except OSError as error:
        print(f"redis: {error}", file=sys.stderr)
        return 1
    listener = await loop.create_server(
        lambda: HttpConnection(service.handle, connections), sock=socket, backlog=_BACKLOG
    )
    server = loop.create_task(child.run() if child is not None else asyncio.Event().wait())
    stopping, announcing = loop.create_task(stop.wait()), loop.create_task(_announce(service, url, shown))
    try:
        await asyncio.wait({server, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            _log.error("the Redis server could not be run: %s", server.exception())
        return int(server.done())
    finally:
        for task in (announcing, stopping, server):
            task.cancel()
        listener.close()
        await _end(connections)
        service.server.close()
        if child is not None:
            await child.stop()
        await asyncio.gather(announcing, stopping, server, return_exceptions=True)


async def _announce(service: Service, url: str, token: str | None) -> None:
    while True:
        with contextlib.suppress(RedisUnavailableError):
            await service.ready()
            break
        await asyncio.sleep(_CONNECT_POLL_SECONDS)
    print(f"Redis REST listening on {url}", flush=True)
    if token is not None:
        print(f"export UPSTASH_REDIS_REST_URL={url}", flush=True)
        print(f"export UPSTASH_REDIS_REST_TOKEN={token}", flush=True)


async def _end(connections: set[HttpConnection]) -> None:
    """Let requests that are being answered finish for a moment, and end the rest."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _STOP_TIMEOUT_SECONDS
    while [each for each in connections if not each.close()] and loop.time() < deadline:  # noqa: ASYNC110 - until then
        await asyncio.sleep(_STOP_POLL_SECONDS)
    for connection in list(connections):
        connection.abort()


if __name__ == "__main__":
    sys.exit(main())
