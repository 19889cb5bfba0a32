"""What a COMMIT adds to sums beside its job: commands that travel with its script, in the same request."""

from collections.abc import Iterable, Sequence

from baton.adapters import keys
from baton.adapters.counters import adding
from baton.adapters.weighing import command_bytes
from baton.core.effects import Changes

Commands = Sequence[Sequence[str | int]]


def counting(changes: Changes) -> Commands:
    """The commands."""
    used: list[list[str | int]] = [["HINCRBY", keys.TOOL_USE, changes.used.count, 1]] if changes.used else []
    return [*used, *adding(changes.counts)] if changes.counts else used


def in_sum(several: Iterable[Commands]) -> Commands:
    """The same, with one command for each sum."""
    sums: dict[tuple[str, str], int] = {}
    for commands in several:
        for _, key, name, much in commands:
            sums[str(key), str(name)] = sums.get((str(key), str(name)), 0) + int(much)
    return [["HINCRBY", key, name, much] for (key, name), much in sums.items()]


def cost_of(commands: Commands) -> tuple[int, int]:
    """How many they are, and their bytes."""
    return len(commands), sum(map(command_bytes, commands))
