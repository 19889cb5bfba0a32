"""The same done with short COMMITs where they hold, and with long ones alone: answers, and what is stored after."""

import json
import re
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
_STORED = """
local read = {hash = {'HGETALL'}, list = {'LRANGE', 0, -1}, string = {'GET'}, zset = {'ZRANGE', 0, -1}}
local found = {}
for number, key in ipairs(redis.call('KEYS', 'baton:*')) do
  local kind = redis.call('TYPE', key).ok
  local command, first, last = unpack(read[kind])
  found[number] = {key, kind, first and redis.call(command, key, first, last) or redis.call(command, key)}
end
return found
"""
# A shorter request has fewer bytes, and the same commands; but what was counted beside one that was refused is paid for
# by its invocation, with its next write.
_BYTES, _COMMANDS = ("redis_bytes", "redisBytes"), ("redis_commands", "redisCommands")
# Several that are one script are one request, too.
_REQUESTS = ("redis_requests", "redisRequests", "history_at")


class Forgetful(HeldSteps):
    """Knows of no step, so each COMMIT is a long one."""

    def take(self, claim: Claim) -> HeldStep | None:
        """None."""
        return super().take(claim) and None


class Noting(PlantedConnection):
    """Counts the short COMMITs that were done, and those that were refused."""

    done = refused = 0

    def __init__(self, *arguments: Any) -> None:
        """`asked`: how many steps each short COMMIT was of."""
        super().__init__(*arguments)
        self.asked: list[int] = []

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
            self.asked.append(_steps_in(args))
            done = len(asked.answer)
            self.done, self.refused = self.done + done, self.refused + self.asked[-1] - done
        return asked


def _steps_in(arguments: Sequence[str | int]) -> int:
    """Of how many a short COMMIT is: each has twelve arguments, four counts, and as much as these say."""
    position, steps = 3, 0
    while position < len(arguments):
        position += 16 + sum(map(int, arguments[position + 12 : position + 16]))
        steps += 1
    return steps


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
    """How a story went: its answers, what is stored, short COMMITs done and refused, and of how many steps each was."""

    answers: list[Any]
    stored: dict[str, Any]
    done: int
    refused: int
    asked: list[int]

    def left(self, *, without: tuple[str, ...] = ()) -> object:
        """What is stored, whoever wrote its fields in whatever order, but for the bytes, and what is named."""
        return _read(self.stored, (*_BYTES, *without))


def alike(short: Told, long: Told) -> bool:
    """Whether both said and left the same."""
    if all(steps == 1 for steps in short.asked):
        without: tuple[str, ...] = _COMMANDS if short.refused else ()
        return short.answers == long.answers and short.left(without=without) == long.left(without=without)
    without = (*_COMMANDS, *_REQUESTS)
    return _said(short) == _said(long) and short.left(without=without) == long.left(without=without)


def _said(told: Told) -> str:
    return re.sub(r"redis_requests=\d+", "", repr(told.answers))


async def told(process: RedisProcess, story: Story, *, short: bool, found: str = "", instead: str = "") -> Told:
    """Play it on an emptied store."""
    process.ask("FLUSHALL")
    connection = Noting(process, found, instead)
    try:
        answers = await story(Processes(connection, HeldSteps if short else Forgetful))
        return Told(answers, await _stored(connection), connection.done, connection.refused, connection.asked)
    finally:
        await connection.close()


async def _stored(connection: RedisConnection) -> dict[str, Any]:
    """What is under each name: read in one request, of as many as a story has keys."""
    found = await connection.execute("EVAL", _STORED, 0)
    return {name: _fields(value) if kind == "hash" else value for name, kind, value in sorted(found)}


def _fields(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


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
