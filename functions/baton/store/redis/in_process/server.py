"""A Redis in this process, and the connection to it that the adapters of production take.

Invariant: a request is applied at one moment; nothing is opened, and nobody waits. The thirty-odd commands are those
that the adapters and their scripts send: contract tests hold them to a real server. Must not: be part of a deployed
function.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from upstash_redis.errors import UpstashError
from upstash_redis.format import cast_response

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.redis.in_process import commands, sorted_sets, streams
from baton.store.redis.in_process.data import Data, Version
from baton.store.redis.in_process.scripts import lua
from baton.store.transport.redis_rest import Command

_COMMANDS = {**commands.KEYLESS, **commands.COMMANDS, **sorted_sets.COMMANDS, **streams.COMMANDS}


class InProcessRedis:
    """The server. `now_ms`: its clock; `expires`: a key whose time is over is gone."""

    def __init__(self, now_ms: Callable[[], int], *, expires: bool = True) -> None:
        self.data = Data(now_ms)
        self._lua = lua()
        self._expires = expires
        self._scripts: dict[str, str] = {}
        self.payload_keys = ""  # of connections that are made from now on

    def run(self, *command: str | int) -> Any:
        """Run one command, and return its answer.

        Raises:
            UpstashError: the server refuses it.
        """
        name, *arguments = map(str, command)
        if self._expires and self.data.expiring:
            self.data.expire()
        if name in ("EVAL", "EVALSHA"):
            return self._eval(name, arguments)
        return self._call(name, *arguments)

    def script(self, text: str) -> str:
        """Return the script that runs for this text: another one where a defect is planted."""
        return text

    def version(self) -> Version:
        """Return all keys as they are now."""
        return self.data.version()

    def go_back(self, version: Version) -> None:
        """Restore an earlier version, as a failover does."""
        self.data.go_back(version)

    def _call(self, name: str, *arguments: str) -> Any:
        run = _COMMANDS.get(name)
        if run is None:
            raise UpstashError(f"ERR unknown command '{name}'")
        try:
            return run(self.data, *arguments)
        except (TypeError, IndexError) as error:
            raise UpstashError(f"ERR wrong number of arguments for '{name.lower()}' command") from error

    def _eval(self, name: str, arguments: Sequence[str]) -> Any:
        text, count = arguments[0], int(arguments[1])
        if name == "EVALSHA":
            if text not in self._scripts:
                raise UpstashError("NOSCRIPT No matching script. Please use EVAL.")
            text = self._scripts[text]
        else:
            self._scripts[hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()] = text
        keys, rest = arguments[2 : 2 + count], arguments[2 + count :]
        return self._lua.run(self.script(text), keys, rest, self._call)


class _InProcess:
    """`Transport` to a server in this process."""

    def __init__(self, server: InProcessRedis) -> None:
        self._server = server

    async def execute_all(self, commands: Sequence[Command], *, beside_scripts: bool = False) -> tuple[list[Any], bool]:
        """Run commands one after the other: see transport/redis_rest.py."""
        return [self._answer(command) for command in commands], not beside_scripts

    def _answer(self, command: Command) -> Any:
        try:
            answer = self._server.run(*command)
        except UpstashError as error:
            return error
        return cast_response(
            [str(word) for word in command[:8]] if command[0] != "EVALSHA" else ["EVALSHA"], answer, None
        )

    async def close(self) -> None:
        """Do nothing: nothing is open."""


class InProcessConnection(RedisConnection):
    """`RedisConnection` to a server in this process: it belongs to no loop."""

    def __init__(self, server: InProcessRedis) -> None:
        super().__init__(Settings(payload_keys=server.payload_keys))
        self.server = server
        self._in_process = _InProcess(server)

    def _redis(self) -> _InProcess:
        return self._in_process
