"""What the server says about its own commands (COMMAND): which only read, and where their keys are.

Invariant: nothing here is a list kept by hand (prepare.py has one), so a newer server's commands are covered; before
the server has been asked, no command counts as a read and no argument as a key. Pure once loaded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from baton_local.redis.link.resp import Reply

_SUBCOMMANDS, _KEY_SPECS = 9, 8
# Harmless without being flagged as reads, and refused though flagged as reads (redis-rest.md 2).
_ALSO_ALLOWED = frozenset({b"PING", b"ECHO", b"TIME", b"COMMAND"})
_NEVER_ALLOWED = frozenset({b"KEYS", b"SCAN"})


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One way to find keys: start at an index or behind a keyword, then a range or a counted run."""

    index: int
    keyword: bytes | None
    counted: bool
    last_key: int
    key_step: int
    limit: int
    count_index: int
    first_key: int

    @classmethod
    def from_reply(cls, reply: Reply) -> Self | None:
        """Read one entry of COMMAND's key specifications; None for one that the server cannot describe."""
        entry = _as_map(reply)
        begin, find = _as_map(entry.get(b"begin_search")), _as_map(entry.get(b"find_keys"))
        where, how = _as_map(begin.get(b"spec")), _as_map(find.get(b"spec"))
        if begin.get(b"type") == b"unknown" or find.get(b"type") == b"unknown":
            return None
        keyword = where.get(b"keyword")
        return cls(
            index=_number(where, b"index") or _number(where, b"startfrom"),
            keyword=keyword if isinstance(keyword, bytes) else None,
            counted=find.get(b"type") == b"keynum",
            last_key=_number(how, b"lastkey"),
            key_step=_number(how, b"keystep") or _number(how, b"step") or 1,
            limit=_number(how, b"limit"),
            count_index=_number(how, b"keynumidx"),
            first_key=_number(how, b"firstkey"),
        )

    def keys(self, arguments: Sequence[bytes]) -> Sequence[bytes]:
        begin = self._begin(arguments)
        if begin is None or begin >= len(arguments):
            return ()
        if self.counted:
            if begin + self.count_index >= len(arguments):
                return ()
            count = arguments[begin + self.count_index]
            first = begin + self.first_key
            stop = first + (int(count) if count.isdigit() else 0) * self.key_step
            return arguments[first : stop : self.key_step]
        if self.last_key >= 0:
            return arguments[begin : begin + self.last_key + 1 : self.key_step]
        stop = len(arguments) + self.last_key + 1
        if self.limit > 1:
            stop = begin + (stop - begin) // self.limit
        return arguments[begin : stop : self.key_step]

    def _begin(self, arguments: Sequence[bytes]) -> int | None:
        if self.keyword is None:
            return self.index
        for position in range(max(self.index, 1), len(arguments)):
            if arguments[position].upper() == self.keyword:
                return position + 1
        return None


@dataclass(frozen=True, slots=True)
class _Entry:
    readonly: bool
    specs: tuple[KeySpec, ...]


class CommandTable:
    """The server's commands by upper-case name, subcommands as `XINFO|STREAM`."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}

    def read_reply(self, reply: Reply) -> None:
        """Take in the reply to COMMAND; anything else leaves the table as it is."""
        if isinstance(reply, list):
            self._entries = dict(_entries(reply))

    def is_harmless_read(self, name: bytes, arguments: Sequence[bytes]) -> bool:
        """Return whether a read-only token may run the command."""
        if name in _ALSO_ALLOWED:
            return True
        entry = self._entry(name, arguments)
        return entry is not None and entry.readonly and name not in _NEVER_ALLOWED

    def keys(self, name: bytes, arguments: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the keys that a command names, as far as the server can tell."""
        entry = self._entry(name, arguments)
        if entry is not None:
            for spec in entry.specs:
                yield from spec.keys(arguments)

    def _entry(self, name: bytes, arguments: Sequence[bytes]) -> _Entry | None:
        if len(arguments) > 1:
            found = self._entries.get(name + b"|" + arguments[1][:64].upper())
            if found is not None:
                return found
        return self._entries.get(name)


def _entries(reply: list[Reply]) -> Iterator[tuple[bytes, _Entry]]:
    for row in reply:
        if not isinstance(row, list) or len(row) <= _SUBCOMMANDS:
            continue
        name, flags, specs, subcommands = row[0], row[2], row[_KEY_SPECS], row[_SUBCOMMANDS]
        if not isinstance(name, bytes):
            continue
        found = [KeySpec.from_reply(spec) for spec in specs] if isinstance(specs, list) else []
        known = tuple(spec for spec in found if spec is not None)
        yield name.upper(), _Entry(isinstance(flags, list) and b"readonly" in flags, known)
        if isinstance(subcommands, list):
            yield from _entries(subcommands)


def _as_map(reply: Reply) -> dict[bytes, Reply]:
    if not isinstance(reply, list):
        return {}
    pairs = zip(reply[::2], reply[1::2], strict=False)
    return {name: value for name, value in pairs if isinstance(name, bytes)}


def _number(values: dict[bytes, Reply], name: bytes) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else 0
