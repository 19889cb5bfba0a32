"""Which invariants a write concerns: those of its command, and those of the parts of the tag that it changed.

Invariant: what is left out would have said nothing: an invariant names every part that it looks at, and held of the
version before, which was shown to it, too. Those that are asked come in the order in which they stand.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from msgspec.structs import astuple

from baton.engine.commit.tree import Tree

Invariant = Callable[[Any], str | None]
# What is asked of the store. A name that no write has would switch an invariant off.
Op = Literal[
    "append", "claim", "commit", "create", "give_back", "load", "recall", "reconcile", "record", "remove", "renew",
    "signal", "tombstone", "undelivered",
]  # fmt: skip
_BITS = {name: 1 << number for number, name in enumerate(Tree.__struct_fields__)}


@dataclass(frozen=True, slots=True)
class Watch:
    """An invariant, asked at each `op`, or when one of these parts is another one than before."""

    invariant: Invariant
    op: Op | None = None
    parts: int = 0


def at(op: Op, invariant: Invariant) -> Watch:
    return Watch(invariant, op=op)


def of(parts: str, invariant: Invariant) -> Watch:
    return Watch(invariant, parts=sum(_BITS[name] for name in parts.split()))


def changed(before: Tree, after: Tree) -> int:
    """The parts that are not the same, as bits."""
    bits = 0
    for bit, old, new in zip(_BITS.values(), astuple(before), astuple(after), strict=True):
        if new is not old:
            bits |= bit
    return bits


class Watched:
    """Invariants in their order, looked up once for each command and what it changed."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        self._watches = tuple(watches)
        self._found: dict[tuple[Op, int], tuple[Invariant, ...]] = {}

    def by(self, op: Op, bits: int) -> tuple[Invariant, ...]:
        """Those that such a write concerns."""
        if (op, bits) not in self._found:
            found = [watch.invariant for watch in self._watches if watch.op == op or watch.parts & bits]
            self._found[op, bits] = tuple(found)
        return self._found[op, bits]
