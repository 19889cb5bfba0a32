"""Commands for streams and their groups.

Invariant: `~` drops whole hundreds of entries, as a server drops whole nodes.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from upstash_redis.errors import UpstashError

from baton.store.redis.in_process.commands import Command, whole
from baton.store.redis.in_process.data import Data, Status

_NODE = 100
Id = tuple[int, int]
_FIRST, _LAST = (0, 0), (2**64, 2**64)


class Entry(Struct, frozen=True):
    """An entry: names and texts in turn."""

    id: Id
    flat: tuple[str, ...]

    def reply(self) -> list[Any]:
        return [_text(self.id), list(self.flat)]


class Pending(Struct, frozen=True):
    """An entry that a consumer was given, and has not acknowledged."""

    consumer: str
    given_ms: int
    count: int = 1


class Group(Struct, frozen=True):
    """The readers of a stream that share its entries."""

    last: Id
    pending: dict[Id, Pending] = {}


class Stream(Struct, frozen=True):
    entries: tuple[Entry, ...] = ()
    last: Id = _FIRST
    groups: dict[str, Group] = {}


_NOTHING = Stream()


def _text(entry_id: Id) -> str:
    return f"{entry_id[0]}-{entry_id[1]}"


def _id(text: str, sequence: int = 0) -> Id:
    if text in ("-", "+"):
        return _FIRST if text == "-" else _LAST
    ms, _, number = text.partition("-")
    return whole(ms), whole(number) if number else sequence


def _of(data: Data, key: str) -> Stream:
    return data.get(key, Stream, _NOTHING)


def _bounded(stream: Stream, kind: str, words: Sequence[str]) -> Stream:
    about, bound = (words[0] == "~", words[-1]) if len(words) > 1 else (False, words[0])
    if kind == "MAXLEN":
        count = max(0, len(stream.entries) - whole(bound))
    else:
        count = sum(entry.id < _id(bound) for entry in stream.entries)
    count -= count % _NODE if about else 0
    return replace(stream, entries=stream.entries[count:])


def _xadd(data: Data, key: str, *words: str) -> str:
    stream, bound, rest = _of(data, key), tuple[str, ...](), list(words)
    if rest[0].upper() in ("MAXLEN", "MINID"):
        count = 3 if rest[1] in ("~", "=") else 2
        bound, rest = tuple(rest[:count]), rest[count:]
    name, *flat = rest
    now = (data.now_ms(), 0)
    entry_id = _id(name) if name != "*" else now if now > stream.last else (stream.last[0], stream.last[1] + 1)
    if entry_id <= stream.last:
        raise UpstashError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    after = replace(stream, entries=(*stream.entries, Entry(entry_id, tuple(flat))), last=entry_id)
    data.put(key, _bounded(after, bound[0].upper(), bound[1:]) if bound else after)
    return _text(entry_id)


def _xsetid(data: Data, key: str, name: str) -> Status:
    data.put(key, replace(_of(data, key), last=_id(name)))
    return Status("OK")


def _xtrim(data: Data, key: str, kind: str, *words: str) -> int:
    before = _of(data, key)
    if before is _NOTHING:
        return 0
    after = _bounded(before, kind.upper(), words)
    data.put(key, after)
    return len(before.entries) - len(after.entries)


def _xrange(data: Data, key: str, first: str, last: str, *options: str) -> list[Any]:
    begin, end = _id(first.lstrip("(")), _id(last.lstrip("("), sequence=_LAST[1])
    found = [
        entry.reply()
        for entry in _of(data, key).entries
        if begin <= entry.id <= end
        and not (first[0] == "(" and entry.id == begin)
        and not (last[0] == "(" and entry.id == end)
    ]
    return found[: whole(options[1])] if options else found


def _xrevrange(data: Data, key: str, last: str, first: str, *options: str) -> list[Any]:
    found = _xrange(data, key, first, last)[::-1]
    return found[: whole(options[1])] if options else found


def _asked(words: Sequence[str]) -> tuple[int, list[tuple[str, str]]]:
    """Return how many entries are asked for, and keys with the ids behind which they are."""
    upper = [word.upper() for word in words]
    at = upper.index("STREAMS")
    named = words[at + 1 :]
    most = whole(words[upper.index("COUNT") + 1]) if "COUNT" in upper[:at] else len(named) + 2**31
    return most, list(zip(named[: len(named) // 2], named[len(named) // 2 :], strict=True))


def _xread(data: Data, *words: str) -> list[Any] | None:
    most, streams = _asked(words)
    answer = list[Any]()
    for key, after in streams:
        behind = _of(data, key).last if after == "$" else _id(after)
        if found := [entry.reply() for entry in _of(data, key).entries if entry.id > behind][:most]:
            answer.append([key, found])
    return answer or None


def _group(data: Data, key: str, name: str) -> Group:
    group = _of(data, key).groups.get(name)
    if group is None:
        raise UpstashError(f"NOGROUP No such key '{key}' or consumer group '{name}'")
    return group


def _keep(data: Data, key: str, name: str, group: Group) -> None:
    stream = _of(data, key)
    data.put(key, replace(stream, groups={**stream.groups, name: group}))


def _xgroup(data: Data, kind: str, key: str, name: str, start: str, *options: str) -> Status:
    if kind.upper() != "CREATE":
        raise UpstashError(f"ERR unknown subcommand '{kind}'")
    if key not in data.values and not options:
        raise UpstashError("ERR The XGROUP subcommand requires the key to exist")
    stream = _of(data, key)
    if name in stream.groups:
        raise UpstashError("BUSYGROUP Consumer Group name already exists")
    _keep(data, key, name, Group(stream.last if start == "$" else _id(start)))
    return Status("OK")


def _xreadgroup(data: Data, _word: str, name: str, consumer: str, *words: str) -> list[Any] | None:
    most, streams = _asked(words)
    answer = list[Any]()
    for key, _ in streams:
        group = _group(data, key, name)
        if found := [entry for entry in _of(data, key).entries if entry.id > group.last][:most]:
            given = {entry.id: Pending(consumer, data.now_ms()) for entry in found}
            _keep(data, key, name, Group(found[-1].id, {**group.pending, **given}))
            answer.append([key, [entry.reply() for entry in found]])
    return answer or None


def _xack(data: Data, key: str, name: str, *ids: str) -> int:
    group = _of(data, key).groups.get(name)
    if group is None:
        return 0
    done = {_id(each) for each in ids}
    left = {entry_id: pending for entry_id, pending in group.pending.items() if entry_id not in done}
    _keep(data, key, name, replace(group, pending=left))
    return len(group.pending) - len(left)


def _xautoclaim(data: Data, key: str, name: str, consumer: str, idle_ms: str, start: str, *options: str) -> list[Any]:
    group, now_ms = _group(data, key, name), data.now_ms()
    there = {entry.id: entry for entry in _of(data, key).entries}
    idle = [
        entry_id
        for entry_id, pending in sorted(group.pending.items())
        if entry_id >= _id(start) and now_ms - pending.given_ms >= whole(idle_ms)
    ][: whole(options[1]) if options else _NODE]
    claimed = {each: Pending(consumer, now_ms, group.pending[each].count + 1) for each in idle if each in there}
    left = {each: pending for each, pending in group.pending.items() if each not in idle or each in there}
    _keep(data, key, name, replace(group, pending={**left, **claimed}))
    return ["0-0", [there[each].reply() for each in claimed], [_text(each) for each in idle if each not in there]]


def _xpending(data: Data, key: str, name: str) -> list[Any]:
    pending = _group(data, key, name).pending
    if not pending:
        return [0, None, None, None]
    of_each = [each.consumer for each in pending.values()]
    counts = [[consumer, str(of_each.count(consumer))] for consumer in sorted(set(of_each))]
    return [len(pending), _text(min(pending)), _text(max(pending)), counts]


COMMANDS: dict[str, Command] = {
    "XADD": _xadd,
    "XSETID": _xsetid,
    "XTRIM": _xtrim,
    "XLEN": lambda data, key: len(_of(data, key).entries),
    "XRANGE": _xrange,
    "XREVRANGE": _xrevrange,
    "XREAD": _xread,
    "XGROUP": _xgroup,
    "XREADGROUP": _xreadgroup,
    "XACK": _xack,
    "XAUTOCLAIM": _xautoclaim,
    "XPENDING": _xpending,
}
