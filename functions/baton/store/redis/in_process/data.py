"""The keys of a Redis in this process, and when they expire.

Invariant: a value never changes; a write puts another one in its place. So a copy of the two dicts is a version of all
that is in them. A hash is a dict, a list a tuple, a set a frozenset; sorted sets and streams have modules of their own.
Must not: know a script.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from upstash_redis.errors import UpstashError

_V = TypeVar("_V")
_WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


class Version(NamedTuple):
    """All keys at one moment, or those of one tag."""

    values: dict[str, Any]
    expiring: dict[str, int]


class Status(str):
    """An answer that is no data, such as OK."""

    __slots__ = ()


class Data:
    """Some keys. `expiring`: the time at which a key is gone, in milliseconds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.values: dict[str, Any] = {}
        self.expiring: dict[str, int] = {}
        self.now_ms = now_ms

    def get(self, key: str, kind: type[_V], nothing: _V) -> _V:
        """Return the value of a key; `nothing` where there is none. Raises UpstashError: it is of another kind."""
        value = self.values.get(key)
        if value is None:
            return nothing
        if not isinstance(value, kind):
            raise UpstashError(_WRONG_TYPE)
        return value

    def put(self, key: str, value: Any) -> None:
        """Keep a value; one that is empty is no key."""
        if value:
            self.values[key] = value
        else:
            self.delete(key)

    def delete(self, *keys: str) -> int:
        """Delete keys, and return how many were there."""
        count = len(self.values)
        for key in keys:
            self.values.pop(key, None)
            self.expiring.pop(key, None)
        return count - len(self.values)

    def expire(self) -> None:
        """Delete the keys whose time is over."""
        now_ms = self.now_ms()
        if over := [key for key, until_ms in self.expiring.items() if until_ms <= now_ms]:
            self.delete(*over)

    def version(self, *prefixes: str) -> Version:
        """Return all keys as they are now, or those with one of these prefixes."""
        if not prefixes:
            return Version(self.values.copy(), self.expiring.copy())
        values = {key: value for key, value in self.values.items() if key.startswith(prefixes)}
        return Version(values, {key: until_ms for key, until_ms in self.expiring.items() if key in values})

    def go_back(self, version: Version, *prefixes: str) -> None:
        """Restore an earlier version of all keys, or of those with one of these prefixes, as a failover does."""
        self.delete(*(key for key in list(self.values) if key.startswith(prefixes or "")))
        self.values.update(version.values)
        self.expiring.update(version.expiring)


def flag(text: str, words: Sequence[str]) -> bool:
    """Return whether an option is among the words, in any case."""
    return text in [word.upper() for word in words]


def number_text(value: float) -> str:
    """Write a number as a server does."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e17 else repr(value)  # noqa: PLR2004 - %.17g
