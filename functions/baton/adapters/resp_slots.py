"""Which server of a cluster owns which key: the map that CLUSTER SLOTS gives, and the keys of a command. Pure."""

from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

Place = tuple[str, int]

_SLOTS = 16_384
_KEYLESS = frozenset({"PING", "INFO", "SCRIPT", "CLUSTER", "COMMAND", "TIME", "DBSIZE", "CONFIG", "FLUSHALL"})
_KEY_AFTER_SUBCOMMAND = frozenset({"XGROUP", "XINFO", "OBJECT", "MEMORY"})


class SlotMap:
    """Ranges of slots and who owns them. `asked`: who told it; a server that does not know its own name is that one."""

    def __init__(self, told: Sequence[Any], asked: Place) -> None:
        ranges = sorted((int(first), int(last), place_of(owner[0], owner[1], asked)) for first, last, owner, *_ in told)
        self._firsts = [first for first, _, _ in ranges]
        self._ranges = ranges

    @property
    def places(self) -> tuple[Place, ...]:
        """Every owner."""
        return tuple(dict.fromkeys(place for _, _, place in self._ranges))

    def owner(self, key: str | None) -> Place:
        """Who owns the key's slot; any, where there is no key or nobody owns it: it will say so itself."""
        if key is None:
            return self.places[0]
        slot = slot_of(key)
        first, last, place = self._ranges[max(0, bisect_right(self._firsts, slot) - 1)]
        return place if first <= slot <= last else self.places[0]


def slot_of(key: str) -> int:
    """The slot of a key: of its hash tag, if it has one."""
    begin = key.find("{")
    end = key.find("}", begin + 1)
    tag = key[begin + 1 : end] if begin >= 0 and end > begin + 1 else key
    return crc_hqx(tag.encode(), 0) % _SLOTS


def keys_of(command: Sequence[str | int]) -> tuple[str, ...]:
    """The keys of a command that the adapters send: all of a script, else the one that it is about."""
    name = str(command[0]).upper()
    if name in _KEYLESS:
        return ()
    if name in ("EVAL", "EVALSHA"):
        return tuple(map(str, command[3 : 3 + int(command[2])]))
    if name in ("XREAD", "XREADGROUP"):
        named = command[1 + [str(word).upper() for word in command].index("STREAMS") :]
        return tuple(map(str, named[: len(named) // 2]))
    if name in ("EXISTS", "DEL", "UNLINK", "MGET"):
        return tuple(map(str, command[1:]))
    return (str(command[2 if name in _KEY_AFTER_SUBCOMMAND else 1]),)


def place_of(host: str | None, port: int | str, asked: Place) -> Place:
    """Where a server is by what another says of it; one without a name is where the other is."""
    return (asked[0] if host in (None, "", "?") else str(host)), int(port)


def redirection(answer: str, asked: Place) -> Place:
    """Where MOVED or ASK leads."""
    host, _, port = answer.split(" ")[2].rpartition(":")
    return place_of(host.strip("[]"), port, asked)
