"""The keys of one tag, in the Redis of this process: the script that commits is production's.

Invariant: a value never changes, so a copy is a version. `expiring` says for how many milliseconds a key was told to
stay; nothing expires here.
"""

from collections.abc import Sequence
from typing import Any

from baton.store.redis.connection import _applying
from baton.store.redis.in_process.commands import COMMANDS
from baton.store.redis.in_process.data import Data
from baton.store.redis.in_process.server import lua
from baton.store.redis.in_process.streams import COMMANDS as OF_STREAMS

_NO_HASH: dict[str, str] = {}
_COMMANDS = {**COMMANDS, **OF_STREAMS}


class Kept(Data):
    def __init__(self, values: dict[str, Any] | None = None, expiring: dict[str, int] | None = None) -> None:
        super().__init__(int)
        self.values, self.expiring = dict(values or {}), dict(expiring or {})

    def copy(self) -> "Kept":
        return Kept(self.values, self.expiring)

    def hash(self, key: str) -> dict[str, str]:
        found: dict[str, str] = self.values.get(key, _NO_HASH)
        return found

    def run(self, name: str, *arguments: str) -> Any:
        return _COMMANDS[name](self, *arguments)

    def script(self) -> str:
        return _applying()

    def apply(self, keys: Sequence[str], arguments: Sequence[str]) -> list[Any]:
        """Compare, then write."""
        answer: list[Any] = lua().run(self.script(), keys, arguments, self.run)
        return answer
