"""The same done with short COMMITs where they hold, and with long ones alone: answers, and what is stored after."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from events.adapters.redis import Asked, RedisConnection
from events.adapters.short_commits import HeldStep, HeldSteps
from events.adapters.store import RedisStore
from events.ports import Claim
from tests.contract.store.planted_connection import PlantedConnection
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import RETENTION_MS, Side, side_over

SHORT = "short_commits.py"
_KINDS = {"hash": ("HGETALL",), "list": ("LRANGE", 0, -1), "string": ("GET",), "zset": ("ZRANGE", 0, -1)}
# A shorter request has fewer bytes, and the same commands; but what was counted beside one that was refused is paid for
# by its invocation, with its next write.
_BYTES, _COMMANDS = ("redis_bytes", "redisBytes"), ("redis_commands", "redisCommands")


class Forgetful(HeldSteps):
    """Knows of no step, so each COMMIT is a long one."""

    def take(self, claim: Claim) -> HeldStep | None:
        """None."""
        return super().take(claim) and None


class Noting(PlantedConnection):
    """Counts the short COMMITs that were done, and those that were refused."""

    done = refused = 0

    async def ask(
        self,
        text: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        beside: Sequence[Sequence[str | int]] = (),
    ) -> Asked:
        """Note it."""
        asked = await super().ask(text, keys, args, beside)
        if SHORT in text:
            done = asked.answer[0] == "committed"
            self.done, self.refused = self.done + done, self.refused + (not done)
        return asked


@dataclass
class Processes:
    """Two processes over one store."""

    connection: Noting
    held_steps: Callable[[], HeldSteps]
    sides: list[Side] = field(init=False)

    def __post_init__(self) -> None:
        """Each knows what it knows."""
        self.sides = [self._side(), self._side()]

    def _side(self) -> Side:
        store = RedisStore(self.connection, RETENTION_MS, held_steps=self.held_steps())
        return replace(side_over(self.connection), store=store)


Story = Callable[[Processes], Awaitable[list[Any]]]


@dataclass(frozen=True, slots=True)
class Told:
    """How a story went: its answers, what is stored, short COMMITs done and refused."""

    answers: list[Any]
    stored: dict[str, Any]
    done: int
    refused: int

    def left(self, *, counted: bool) -> object:
        """What is stored, whoever wrote its fields in whatever order; `counted`: commands, too."""
        return _read(self.stored, _BYTES if counted else (*_BYTES, *_COMMANDS))


def alike(short: Told, long: Told) -> bool:
    """Whether both left the same."""
    return short.left(counted=not short.refused) == long.left(counted=not short.refused)


async def told(process: RedisProcess, story: Story, *, short: bool, found: str = "", instead: str = "") -> Told:
    """Play it on an emptied store."""
    process.ask("FLUSHALL")
    connection = Noting(process, found, instead)
    try:
        answers = await story(Processes(connection, HeldSteps if short else Forgetful))
        return Told(answers, await _stored(connection), connection.done, connection.refused)
    finally:
        await connection.close()


async def _stored(connection: RedisConnection) -> dict[str, Any]:
    names = sorted(await connection.execute("KEYS", "baton:*"))
    stored: dict[str, Any] = {}
    for name in names:
        command, *rest = _KINDS[await connection.execute("TYPE", name)]
        stored[name] = await connection.execute(command, name, *rest)
    return stored


def _read(value: Any, without: tuple[str, ...]) -> Any:
    match value:
        case dict():
            return {name: _read(text, without) for name, text in value.items() if name not in without}
        case list():
            return [_read(each, without) for each in value]
        case str() if value.startswith("{"):
            return _read(json.loads(value), without)
        case _:
            return value
