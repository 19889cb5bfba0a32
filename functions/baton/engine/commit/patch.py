"""A patch: conditions, writes and reads, as `apply` takes them; it knows its own cost.

Invariant: it knows nothing of the domain, only keys, fields and texts. A stamp is a field of a hash that stands for all
others: each request that writes fields appends its name to it, in the script; no two requests have one name. A name
that was compared (`;`) stands for all that is before it, any other (`,`) for its own write alone. So equal ends from
the last compared name on mean equal hashes; whose name is in a stamp has been written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.json import Encoder, decode

_encode = Encoder().encode
_SLICE = 4000  # arguments of one command: commit.lua
_FREEING = frozenset({"DEL", "HDEL", "LREM", "PEXPIRE", "SREM", "UNLINK", "XDEL", "XTRIM", "ZREM"})
Command = Sequence[str | int]
# A field, and the place of an argument: that becomes this text, then the sum of this number and the field's. Without
# them it is appended to the field's text.
Sum = tuple[str, int, str, int] | tuple[str, int]

# The script keeps the last 25 names, 10 after one that has compared them. Who has appended more than there is room for
# since the name that it knows reads again.
STAMP = "#"
# Of a chain of stamps: the newest of so many other processes stay, whose names have so many characters.
_OTHERS, _PROCESS_CHARS = 3, 11


class Patch:
    """Conditions, the writes where all of them hold, and the reads after that.

    `commands`: how many that takes; `summed`: the fields that are not compared, each with its place.
    """

    def __init__(self, most_bytes: int) -> None:
        self.commands = 1
        self._most_bytes = most_bytes
        self._keys: dict[str, int] = {}
        self._arguments: list[str] = [""]  # the plan
        self._conditions: list[list[Any]] = []
        self._writes: list[list[Any]] = []
        self._reads: list[list[Any]] = []
        self._sums: dict[str, list[Any]] = {}
        self.summed: dict[str, str] = {}
        self._ends: dict[str, list[Any]] = {}
        self._counted: set[int] = set()

    def equal(self, key: str, texts: Mapping[str, str | None], summed: Sequence[str] = ()) -> None:
        """Require that these fields of a hash have these texts; None: the field is absent.

        `summed`: fields that are not compared: `write` adds to them.
        """
        known = {field: text for field, text in texts.items() if text is not None}
        if there := [*known, *summed]:
            first = self._add([*there, *known.values(), *[""] * len(summed)])
            self._conditions.append(["equal", self._key(key), first, len(there)])
            for number, field in enumerate(summed, first + len(known)):
                self.summed[field] = f"{number}"
            self.commands -= -len(there) // _SLICE
        if absent := [field for field in texts if field not in known]:
            self._conditions.append(["absent", self._key(key), self._add(absent), len(absent)])
            self.commands -= -len(absent) // _SLICE

    def ends(self, key: str, field: str, text: str) -> None:
        """Require that this field's text ends so; `write` appends to it."""
        condition = self._ends[field] = ["ends", self._key(key), self._add([field, text]), 0]
        self._conditions.append(condition)
        self.commands += 1

    def any(self, key: str, fields: Sequence[str]) -> None:
        """Require at least one of these fields."""
        self._conditions.append(["any", self._key(key), self._add(fields), len(fields)])
        self.commands += -(-len(fields) // _SLICE)

    def count(self, key: str, text: str, number: int) -> None:
        """Require that `number` values of a hash contain this text."""
        index = self._key(key)
        self._conditions.append(["count", index, self._add([text]), number])
        self.commands += index not in self._counted
        self._counted.add(index)

    def missing(self, *keys: str) -> None:
        """Require that there is none of these keys."""
        self._conditions.append(["missing", *map(self._key, keys)])
        self.commands += 1

    def write(self, command: str, key: str, arguments: Sequence[str], sums: Iterable[Sum] = ()) -> None:
        """Run a command. `sums`: which arguments are made of fields, where those are summed."""
        # As `_command`, without its calls: a step writes half a dozen times.
        first, count = len(self._arguments) + 1, len(arguments)
        self._arguments += arguments
        index = self._keys[key] if key in self._keys else self._key(key)
        self._writes.append([command, index, first, first + count - 1] if count else [command, index])
        self.commands += 1 if count <= _SLICE else -(-count // _SLICE)
        for field, at, *added in sums:
            if field in self._ends:
                self._ends[field][-1] = first + at
            elif field in self.summed:
                self._sums.setdefault(self.summed[field], []).append([first + at, *added])

    def read(self, reads: Iterable[Command]) -> None:
        """Read these after the writes."""
        for name, key, *arguments in reads:
            texts = list(map(str, arguments))
            first = self._add(texts)
            self._reads.append([name, self._key(str(key)), *([first, first + len(texts) - 1] if texts else [])])
            self.commands += max(1, -(-len(texts) // _SLICE))

    def _key(self, name: str) -> int:
        if name not in self._keys:
            self._keys[name] = len(self._keys) + 1
        return self._keys[name]

    def _add(self, texts: Sequence[str]) -> int:
        first = len(self._arguments) + 1
        self._arguments += texts
        return first

    def size_bytes(self) -> int:
        """Finish the plan, and return the bytes of keys and arguments. Nothing can be added after that."""
        plan: dict[str, Any] = {"conditions": self._conditions, "writes": self._writes}
        if self._sums:
            plan["sums"] = self._sums
        if self._reads:
            plan |= {"reads": self._reads, "most": self._most_bytes}
        self._arguments[0] = _encode(plan).decode()
        text = "".join([*self._keys, *self._arguments])
        return len(text) if text.isascii() else len(text.encode())

    def exchange(self, text: str, other: str) -> None:
        """Send another text in place of this one."""
        self._arguments[self._arguments.index(text)] = other

    def request(self) -> tuple[list[str], list[str]]:
        """Return the script's keys and arguments, once it is planned."""
        return list(self._keys), self._arguments


def frees(arguments: Command) -> bool:
    """Return whether a plan, the first of a script's arguments, needs no more memory.

    It only reads, removes, or counts down, as what is given back is; or it writes in the place of whole keys.
    """
    writes = decode(str(arguments[0]))["writes"]
    names = {name for name, *rest in writes if name != "HINCRBY" or int(arguments[rest[2] - 1]) > 0}
    return names <= _FREEING or "DEL" in names


def chained(chain: str, name: str) -> str:
    """Return a history's chain of stamps after a request of this name that adds to the history, and compared the chain.

    A history of a stamp in it is the beginning of this one. The newest stamp of a process replaces its earlier ones.
    """
    process = name[:_PROCESS_CHARS]
    before, comma, last = chain.rpartition(",")
    if last[:_PROCESS_CHARS] == process:  # the others stay as they are
        return f"{before}{comma}{name}"
    others = [each for each in chain.split(",") if each and each[:_PROCESS_CHARS] != process]
    return ",".join([*others[-_OTHERS:], name])


class Stamps:
    """The names of one process's requests; `draw`: draws a name that no other process has.

    It is drawn for the first request: a host may build the app, and make processes of that by copies.
    """

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw, self._process, self._count = draw, "", 0

    def next(self) -> str:
        """Return a new name: also a repeated attempt has its own."""
        if not self._count:
            self._process = self._draw()
        self._count += 1
        return f"{self._process}{self._count:04x}"  # as long after many requests


def compared(name: str) -> str:
    """Return what a request of this name appends to a stamp that it has compared."""
    return f";{name}"


def appended(name: str) -> str:
    """Return what a request of this name appends to a stamp that it has not compared."""
    return f",{name}"


def known_end(stamp: str) -> str:
    """Return the end of a stamp that stands for all of it: from the last name on that was compared."""
    return stamp[max(stamp.rfind(";"), 0) :]
