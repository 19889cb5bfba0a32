"""Runs Lua scripts as a server does, by lupa: one Lua for a process, each script compiled once.

Invariant: a script knows nothing but KEYS, ARGV, `redis`, `cjson` and Lua's own library, and keeps nothing.
Must not: know a command.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from upstash_redis.errors import UpstashError

from baton.sdk.distribution import require_extra
from baton.store.redis.in_process.data import Status

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

        Raises:
            UpstashError: it failed, or a command in it did; what it has written stays.
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
    """Return the interpreter of this process.

    Raises:
        SettingsError: lupa is not installed.
    """
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
