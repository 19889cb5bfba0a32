"""Commands for keys of all kinds, strings, hashes, lists and sets."""

import fnmatch
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from upstash_redis.errors import UpstashError

from baton.store.redis.in_process.data import Data, Status, flag

Command = Callable[..., Any]
_OK = Status("OK")
_NO_HASH: dict[str, str] = {}
_MS = {"PX": 1, "EX": 1000}


def whole(text: str) -> int:
    """Return the whole number that a text is. Raises UpstashError: it is none."""
    try:
        return int(text)
    except ValueError:
        raise UpstashError("ERR value is not an integer or out of range") from None


def _get(data: Data, key: str) -> str | None:
    return data.get(key, str, "") if key in data.values else None


def _set(data: Data, key: str, text: str, *options: str) -> Status | None:
    if (flag("NX", options) and key in data.values) or (flag("XX", options) and key not in data.values):
        return None
    data.values[key] = text
    if not flag("KEEPTTL", options):
        data.expiring.pop(key, None)
    for word, much in pairwise(options):
        if word.upper() in _MS:
            data.expiring[key] = data.now_ms() + _MS[word.upper()] * whole(much)
    return _OK


def _incrby(data: Data, key: str, much: str = "1") -> int:
    value = whole(data.get(key, str, "0")) + whole(much)
    data.values[key] = str(value)
    return value


def _pexpire(data: Data, key: str, much: str, *options: str) -> int:
    if key not in data.values:
        return 0
    until_ms, known = data.now_ms() + whole(much), data.expiring.get(key)
    if known is not None and (flag("NX", options) or (flag("GT", options) and until_ms <= known)):
        return 0
    if known is None and (flag("GT", options) or flag("XX", options)):
        return 0
    if known is not None and flag("LT", options) and until_ms >= known:
        return 0
    data.expiring[key] = until_ms
    return 1


def _pttl(data: Data, key: str) -> int:
    if key not in data.values:
        return -2
    return data.expiring[key] - data.now_ms() if key in data.expiring else -1


def _hash(data: Data, key: str) -> dict[str, str]:
    return data.get(key, dict, _NO_HASH)


def _hset(data: Data, key: str, *flat: str) -> int:
    if len(flat) % 2 or not flat:
        raise UpstashError("ERR wrong number of arguments for 'hset' command")
    before = _hash(data, key)
    after = {**before, **dict(zip(flat[::2], flat[1::2], strict=True))}
    data.values[key] = after
    return len(after) - len(before)


def _hsetnx(data: Data, key: str, name: str, text: str) -> int:
    return 0 if name in _hash(data, key) else _hset(data, key, name, text)


def _hdel(data: Data, key: str, *names: str) -> int:
    before, gone = _hash(data, key), set(names)
    after = {name: text for name, text in before.items() if name not in gone}
    data.put(key, after)
    return len(before) - len(after)


def _hincrby(data: Data, key: str, name: str, much: str) -> int:
    value = whole(_hash(data, key).get(name, "0")) + whole(much)
    _hset(data, key, name, str(value))
    return value


def _hmget(data: Data, key: str, *names: str) -> list[str | None]:
    found = _hash(data, key)
    return [found.get(name) for name in names]


def _hgetall(data: Data, key: str) -> list[str]:
    return [text for pair in _hash(data, key).items() for text in pair]


def _hscan(data: Data, key: str, _cursor: str, *options: str) -> list[Any]:
    pattern = dict(zip(map(str.upper, options[::2]), options[1::2], strict=True)).get("MATCH", "*")
    pairs = [pair for pair in _hash(data, key).items() if matches(pair[0], pattern)]
    return ["0", [text for pair in pairs for text in pair]]


def _hrandfield(data: Data, key: str, count: str = "1", *options: str) -> list[str]:
    pairs = list(_hash(data, key).items())[: whole(count)]
    return [text for pair in pairs for text in (pair if options else pair[:1])]


def matches(text: str, pattern: str) -> bool:
    """Return whether a text matches a pattern of SCAN; as there, a backslash takes a sign literally."""
    literal = {f"\\{sign}": f"[{sign}]" for sign in "*?["} | {"\\]": "]", "\\\\": "[\\]"}
    for escaped, plain in literal.items():
        pattern = pattern.replace(escaped, plain)
    return fnmatch.fnmatchcase(text, pattern)


def _list(data: Data, key: str) -> tuple[str, ...]:
    return data.get(key, tuple, ())


def _rpush(data: Data, key: str, *entries: str) -> int:
    after = (*_list(data, key), *entries)
    data.put(key, after)
    return len(after)


def span(count: int, first: str, last: str) -> slice:
    """Return the part of a sequence from `first` to `last`, both of which may count from its end."""
    begin, end = whole(first), whole(last)
    begin, end = (each + count if each < 0 else each for each in (begin, end))
    return slice(max(0, begin), max(0, end + 1))


def _lrange(data: Data, key: str, first: str, last: str) -> list[str]:
    entries = _list(data, key)
    return list(entries[span(len(entries), first, last)])


def _sadd(data: Data, key: str, *names: str) -> int:
    before = data.get(key, frozenset, frozenset[str]())
    after = before.union(names)
    data.put(key, after)
    return len(after) - len(before)


def _srem(data: Data, key: str, *names: str) -> int:
    before = data.get(key, frozenset, frozenset[str]())
    data.put(key, after := before.difference(names))
    return len(before) - len(after)


def _time(data: Data) -> list[str]:
    seconds, ms = divmod(data.now_ms(), 1000)
    return [str(seconds), str(1000 * ms)]


def _scan(data: Data, _cursor: str, *options: str) -> list[Any]:
    pattern = dict(zip(map(str.upper, options[::2]), options[1::2], strict=True)).get("MATCH", "*")
    return ["0", [key for key in data.values if matches(key, pattern)]]


def _rename(data: Data, key: str, other: str) -> Status:
    if key not in data.values:
        raise UpstashError("ERR no such key")
    data.put(other, data.values[key])
    data.expiring.pop(other, None)
    if (until_ms := data.expiring.get(key)) is not None:
        data.expiring[other] = until_ms
    data.delete(key)
    return _OK


def _flushall(data: Data) -> Status:
    data.values.clear()
    data.expiring.clear()
    return _OK


KEYLESS: dict[str, Command] = {
    "PING": lambda _: Status("PONG"),
    "TIME": _time,
    "FLUSHALL": _flushall,
    "DBSIZE": lambda data: len(data.values),
    "SCAN": _scan,
    "KEYS": lambda data, pattern: [key for key in data.values if matches(key, pattern)],
}
COMMANDS: dict[str, Command] = {
    "GET": _get,
    "SET": _set,
    "INCR": _incrby,
    "INCRBY": _incrby,
    "DEL": Data.delete,
    "UNLINK": Data.delete,
    "RENAME": _rename,
    "EXISTS": lambda data, *keys: sum(key in data.values for key in keys),
    "PEXPIRE": _pexpire,
    "EXPIRE": lambda data, key, seconds: _pexpire(data, key, str(1000 * whole(seconds))),
    "PERSIST": lambda data, key: int(data.expiring.pop(key, None) is not None),
    "PTTL": _pttl,
    "TTL": lambda data, key: -(-_pttl(data, key) // 1000) if _pttl(data, key) > 0 else _pttl(data, key),
    "HSET": _hset,
    "HMSET": lambda data, key, *flat: Status("OK") if _hset(data, key, *flat) + 1 else None,
    "HSETNX": _hsetnx,
    "HDEL": _hdel,
    "HINCRBY": _hincrby,
    "HGET": lambda data, key, name: _hash(data, key).get(name),
    "HMGET": _hmget,
    "HGETALL": _hgetall,
    "HKEYS": lambda data, key: list(_hash(data, key)),
    "HVALS": lambda data, key: list(_hash(data, key).values()),
    "HLEN": lambda data, key: len(_hash(data, key)),
    "HEXISTS": lambda data, key, name: int(name in _hash(data, key)),
    "HSTRLEN": lambda data, key, name: len(_hash(data, key).get(name, "").encode()),
    "HRANDFIELD": _hrandfield,
    "HSCAN": _hscan,
    "RPUSH": _rpush,
    "LRANGE": _lrange,
    "LLEN": lambda data, key: len(_list(data, key)),
    "SADD": _sadd,
    "SREM": _srem,
    "SMEMBERS": lambda data, key: sorted(data.get(key, frozenset, frozenset[str]())),
}
