"""A Redis in this process, and the connection to it that the adapters of production take.

Invariant: a request is applied at one moment; nothing is opened, and nobody waits. The thirty-odd commands are those
that the adapters and their scripts send: contract tests hold them to a real server. Must not: be part of a deployed
function. Scripts run by lupa, one Lua for a process, each compiled once; a script knows KEYS, ARGV, `redis`, `cjson`
and Lua's own library, and keeps nothing.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from upstash_redis.errors import UpstashError
from upstash_redis.format import cast_response

from baton.sdk.distribution import require_extra
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.redis.in_process import commands, sorted_sets, streams
from baton.store.redis.in_process.data import Data, Status, Version
from baton.store.transport.redis_rest import Command

Call = Callable[..., Any]
# As on a server, no script makes or reads a global that is not there.
_STRICT = """
KEYS, ARGV = {}, {}
setmetatable(_G, {
  __index = function(_, name) error("Script attempted to access nonexistent global variable '" .. name .. "'") end,
  __newindex = function(_, name) error("Attempt to modify a readonly table: " .. name) end,
})
"""


class Lua:
    """The interpreter. `call`: runs a command for the script that runs now."""

    def __init__(self) -> None:
        require_extra("testing", "a Redis in this process")
        from lupa import lua51  # noqa: PLC0415 - of an extra

        # Its own types name parameters that it does not take.
        lupa: Any = lua51
        self._lua: Any = lupa.LuaRuntime(encoding="utf-8", register_eval=False, register_builtins=False)
        self._type: Any = lupa.lua_type
        self._error: type[Exception] = lupa.LuaError
        self._compiled: dict[str, Any] = {}
        self._call: Call = _nothing
        self._table: Any = self._lua.table_from
        self._globals: Any = self._lua.globals()
        self._globals["redis"] = self._table({"call": self._redis_call})
        self._globals["cjson"] = self._table({"encode": self._encode, "decode": self._decode})
        self._lua.execute(_STRICT)

    def run(self, text: str, keys: Sequence[str], arguments: Sequence[str], call: Call) -> Any:
        """Run a script, and return its answer.

        Raises UpstashError: it failed, or a command in it did; what it has written stays.
        """
        compiled = self._compiled.get(text)
        if compiled is None:
            body = text.partition("\n")[2] if text.startswith("#!") else text
            compiled = self._compiled[text] = self._lua.compile(body)
        before, self._call = self._call, call
        self._globals["KEYS"], self._globals["ARGV"] = self._table(keys), self._table(arguments)
        try:
            return self._answer(compiled())
        except self._error as error:
            raise UpstashError(f"ERR {error}") from error
        finally:
            self._call = before

    def _redis_call(self, name: str, *arguments: Any) -> Any:
        return self._given(self._call(name.upper(), *map(_written, arguments)))

    def _given(self, value: Any) -> Any:
        """Return an answer as a script sees it: false for nothing, a table for a status."""
        if isinstance(value, list):
            return self._table([self._given(each) if each.__class__ is not str else each for each in value])
        if isinstance(value, Status):
            return self._table({"ok": str(value)})
        return False if value is None else value

    def _answer(self, value: Any) -> Any:
        """Return what a script answers as a client sees it: whole numbers, and lists up to their first gap."""
        if value.__class__ is str or value.__class__ is int:
            return value
        if value is True:
            return 1
        if isinstance(value, float):
            return int(value)
        if self._type(value) != "table":
            return None
        if value["ok"] is not None:
            return Status(value["ok"])
        answer = list[Any]()
        while (each := value[len(answer) + 1]) is not None:
            answer.append(self._answer(each))
        return answer

    def _decode(self, text: str) -> Any:
        value = json.loads(text)
        return self._table(value, recursive=True) if isinstance(value, dict | list) else value

    def _encode(self, value: Any) -> str:
        """Write JSON as lua-cjson does: numbers with 14 digits, and an empty table is an object."""
        return json.dumps(self._plain(value), ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")

    def _plain(self, value: Any) -> Any:
        if self._type(value) == "table":
            return self._plain_table(dict(value.items()))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return json.loads(f"{value:.14g}") if is_number else value

    def _plain_table(self, pairs: dict[Any, Any]) -> Any:
        if pairs and all(isinstance(name, int) for name in pairs):
            return [self._plain(pairs[at]) for at in sorted(pairs)]
        return {_written(name): self._plain(each) for name, each in pairs.items()}


@cache
def lua() -> Lua:
    """Return the interpreter of this process. Raises SettingsError: lupa is not installed."""
    return Lua()


def _nothing(*_: Any) -> None:
    raise RuntimeError("no script runs")


def _written(value: Any) -> str:
    """Write an argument of a command as a server does, which takes texts and numbers alone."""
    if value.__class__ is str:
        return value
    if value.__class__ is int:
        return str(value)
    if value.__class__ is float:
        return f"{value:.17g}"
    raise UpstashError("ERR Lua redis lib command arguments must be strings or integers")


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
        """Run one command, and return its answer. Raises UpstashError: the server refuses it."""
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
