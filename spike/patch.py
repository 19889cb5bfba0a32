"""A patch: blocks of conditions and writes. Who builds it knows its commands and bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spike.codec import encode

PRESENT = True
Reads = Sequence[tuple[str, Sequence[str]]]


@dataclass(slots=True)
class Block:
    """Written where all conditions hold."""

    conditions: list[tuple[str, Mapping[str, str | bool | None] | int]] = field(default_factory=list)
    writes: list[tuple[str, str, Sequence[str]]] = field(default_factory=list)

    def equal(self, key: str, fields: Mapping[str, str | bool | None]) -> None:
        """Each field has this text; None: is absent; True: is there."""
        self.conditions.append((key, fields))

    def count(self, key: str, number: int) -> None:
        """The hash has so many fields."""
        self.conditions.append((key, number))

    def write(self, command: str, key: str, values: Sequence[str] = ()) -> None:
        """One command."""
        self.writes.append((command, key, values))


@dataclass(slots=True)
class Patch:
    """What one decision writes."""

    first: Block = field(default_factory=Block)
    further: list[Block] = field(default_factory=list)
    refused: Reads = ()
    then: Reads = ()

    def request(self) -> tuple[list[str], list[str]]:
        """KEYS and ARGV of apply.lua."""
        keys: dict[str, int] = {}
        texts: list[str] = ["", "", ""]
        blocks: list[Any] = []

        def number(key: str) -> int:
            return keys.setdefault(key, len(keys) + 1)

        for block in (self.first, *self.further):
            conditions: list[Any] = []
            for key, what in block.conditions:
                if what.__class__ is int:
                    conditions.append((number(key), what))
                    continue
                wants: list[Any] = []
                for text in what.values():  # type: ignore[union-attr]
                    if text is None:
                        wants.append(False)
                    elif text is True:
                        wants.append(True)
                    else:
                        texts.append(text)
                        wants.append(len(texts))
                conditions.append((number(key), tuple(what), wants))  # type: ignore[arg-type]
            writes: list[Any] = []
            for command, key, values in block.writes:
                if values:
                    first = len(texts) + 1
                    texts += values
                    writes.append((command, number(key), first, len(texts)))
                else:
                    writes.append((command, number(key)))
            blocks.append((conditions, writes))
        texts[0] = encode(blocks).decode()
        for at, reads in ((1, self.refused), (2, self.then)):
            if reads:
                texts[at] = encode([(number(key), fields) for key, fields in reads]).decode()
        return list(keys), texts

    def commands(self, written: Sequence[int]) -> int:
        """How many commands the script calls, itself included."""
        if not written:
            return 1 + len(self.first.conditions) + len(self.refused)
        count = 1 + len(self.then) * (len(written) > 1)
        for number, block in enumerate((self.first, *self.further), 1):
            count += len(block.conditions)
            if number in written:
                count += sum(max(1, -(-len(values) // 4000)) for _, _, values in block.writes)
        return count
