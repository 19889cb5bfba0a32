"""What lua/apply.lua does, over a dict of keys: a contract test holds both to each other.

Invariant: a value never changes; a write puts another one in its place. So whoever keeps a copy of the dict keeps a
version of all that is in it.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

_SLICE = 4000
Value = dict[str, str] | tuple[str, ...] | str
_NO_HASH: dict[str, str] = {}


class Keys:
    """Some keys. `expiring`: by key, for how many milliseconds it was told to stay; nothing expires here."""

    def __init__(self, values: dict[str, Any] | None = None, expiring: dict[str, int] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self.expiring = dict(expiring or {})

    def copy(self) -> "Keys":
        return Keys(self.values, self.expiring)

    def run(self, name: str, key: str, *arguments: Any) -> Any:
        return _COMMANDS[name](self, key, *arguments)

    def put(self, key: str, value: Value) -> None:
        if value:
            self.values[key] = value
        else:
            self.delete(key)

    def delete(self, key: str) -> int:
        self.expiring.pop(key, None)
        return 0 if self.values.pop(key, None) is None else 1

    def hash(self, key: str) -> dict[str, str]:
        found: dict[str, str] = self.values.get(key, _NO_HASH)
        return found


def _set(keys: Keys, key: str, text: str, *expiry: Any) -> str:
    keys.values[key] = text
    keys.expiring.pop(key, None)
    if expiry:  # PX, and for how long
        keys.expiring[key] = int(expiry[1])
    return "OK"


def _hset(keys: Keys, key: str, *flat: str) -> int:
    before = keys.hash(key)
    after = {**before, **dict(zip(flat[::2], flat[1::2], strict=True))}
    keys.put(key, after)
    return len(after) - len(before)


def _hdel(keys: Keys, key: str, *names: str) -> int:
    before, gone = keys.hash(key), set(names)
    after = {name: text for name, text in before.items() if name not in gone}
    keys.put(key, after)
    return len(before) - len(after)


def _rpush(keys: Keys, key: str, *entries: str) -> int:
    after = (*keys.values.get(key, ()), *entries)
    keys.put(key, after)
    return len(after)


def _xadd(keys: Keys, key: str, _maxlen: str, _about: str, _most: str, entry_id: str, *flat: str) -> str:
    """A server may keep more than it is told to, as this does."""
    entries = keys.values.get(key, ())
    assert not entries or _numbers(entries[-1][0]) < _numbers(entry_id), "the id is equal or smaller than the top item"
    keys.values[key] = (*entries, (entry_id, flat))
    return entry_id


def _numbers(entry_id: str) -> list[int]:
    return list(map(int, entry_id.split("-")))


def _lrange(keys: Keys, key: str, first: Any, last: Any) -> list[str]:
    entries, first, last = keys.values.get(key, ()), int(first), int(last)
    first = max(0, first + len(entries)) if first < 0 else first
    last = last + len(entries) if last < 0 else last
    return list(entries[first : max(0, last + 1)])


def _pexpire(keys: Keys, key: str, retention_ms: Any) -> int:
    if key in keys.values:
        keys.expiring[key] = int(retention_ms)
    return int(key in keys.values)


_COMMANDS: dict[str, Callable[..., Any]] = {
    "GET": lambda keys, key: keys.values.get(key),
    "SET": _set,
    "DEL": Keys.delete,
    "HSET": _hset,
    "HDEL": _hdel,
    "HGET": lambda keys, key, name: keys.hash(key).get(name),
    "HMGET": lambda keys, key, *names: [keys.hash(key).get(name) for name in names],
    "HGETALL": Keys.hash,
    "HKEYS": lambda keys, key: list(keys.hash(key)),
    "RPUSH": _rpush,
    "XADD": _xadd,
    "LRANGE": _lrange,
    "PEXPIRE": _pexpire,
    "PERSIST": lambda keys, key: int(keys.expiring.pop(key, None) is not None),
}


class Applying:
    """One run of the script over these keys. `ARGV[1]` is the first of the arguments."""

    def __init__(self, data: Keys, keys: Sequence[str], arguments: Sequence[str]) -> None:
        self._data, self._keys, self._arguments = data, keys, list(arguments)
        self._commands, self._looked_through = 1, set[int]()
        self._sums = dict[str, list[Any]]()

    def answer(self) -> list[Any]:
        plan = json.loads(self._arguments[0])
        self._sums = plan.get("sums", {})
        for kind, *condition in plan["conditions"]:
            if not getattr(self, f"_{kind}")(*condition):
                return [self._commands, 0, [kind]]
        for write in plan["writes"]:
            self._run(*write)
        found = self._read(plan.get("reads", ()), plan["most"])
        return [self._commands, 1, found]

    def _texts(self, first: int, count: int) -> Sequence[str]:
        return self._arguments[first - 1 : first - 1 + count]

    def _hash(self, key: int) -> dict[str, str]:
        return self._data.hash(self._keys[key - 1])

    def _same(self, key: int, digest: int) -> bool:
        self._commands += 1
        together = "\0".join(chain.from_iterable(sorted(self._hash(key).items())))
        return hashlib.sha1(together.encode(), usedforsecurity=False).hexdigest() == self._arguments[digest - 1]

    def _compare(self, key: int, first: int, count: int, texts: Sequence[str | None]) -> bool:
        there, names = self._hash(key), self._texts(first, count)
        for start in range(0, count, _SLICE):
            self._commands += 1
            for at in range(start, min(start + _SLICE, count)):
                if sums := self._sums.get(str(first + at)):
                    for argument, text, more in sums:
                        self._arguments[argument - 1] = f"{text}{more + int(there.get(names[at], 0))}"
                elif there.get(names[at]) != texts[at]:
                    return False
        return True

    def _equal(self, key: int, first: int, count: int) -> bool:
        return self._compare(key, first, count, self._texts(first + count, count))

    def _absent(self, key: int, first: int, count: int) -> bool:
        return self._compare(key, first, count, [None] * count)

    def _count(self, key: int, text: int, number: int) -> bool:
        self._commands += key not in self._looked_through
        self._looked_through.add(key)
        part = self._arguments[text - 1]
        return sum(part in value for value in self._hash(key).values()) == number

    def _any(self, key: int, first: int, count: int) -> bool:
        return not self._absent(key, first, count)

    def _missing(self, *keys: int) -> bool:
        self._commands += 1
        return not any(self._keys[key - 1] in self._data.values for key in keys)

    def _run(self, name: str, key: int, first: int = 0, last: int = -1) -> Any:
        if not first:
            self._commands += 1
            return self._data.run(name, self._keys[key - 1])
        answer: Any = None
        for start in range(first, last + 1, _SLICE):
            self._commands += 1
            arguments = self._arguments[start - 1 : min(start - 1 + _SLICE, last)]
            one = self._data.run(name, self._keys[key - 1], *arguments)
            answer = [*answer, *one] if isinstance(answer, list) and isinstance(one, list) else one
        return answer

    def _read(self, reads: Sequence[Any], most: int) -> list[Any]:
        found, size = list[Any](), 0
        for read in reads:
            answer = self._run(*read)
            if isinstance(answer, dict):  # a script gets names and texts in turn
                answer = list(chain.from_iterable(answer.items()))
            size_bytes = weight(answer)
            size += size_bytes
            found.append([answer] if size <= most else [None, size_bytes])
        return found


def weight(value: Any) -> int:
    if isinstance(value, str):
        escaped = value.count('"') + value.count("\\")
        return escaped + (len(value) if value.isascii() else len(value.encode()))
    return sum(map(weight, value)) if isinstance(value, list) else 0
