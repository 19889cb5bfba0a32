"""The composition root: one bridge out of its parts, listening on a port.

Invariant: only here are parts connected to each other; making a `Bridge` opens nothing, starting it does.
"""

import asyncio
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
        """Listen and begin to connect; returns the URL.

        Raises:
            OSError: the port is taken.
        """
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
