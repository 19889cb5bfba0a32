"""What a COMMIT adds to sums beside its job: commands that travel with its script, in the same request."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from events.adapters import keys
from events.adapters.figures import adding
from events.adapters.weighing import command_bytes
from events.core.effects import Changes
from events.ports import Spent

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


def with_counting(spent: Spent, commands: Commands) -> Spent:
    """With what travels beside a COMMIT, which knows its own cost alone."""
    if not commands:
        return spent
    count, size_bytes = cost_of(commands)
    return replace(spent, commands=spent.commands + count, size_bytes=spent.size_bytes + size_bytes)
