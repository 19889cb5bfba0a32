"""The store's real connection, which also keeps what was asked and answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events.adapters.redis import RedisConnection
from events.ids import canonical_json
from events.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """One command of one request, and its answer."""

    command: tuple[str | int, ...]
    answer: Any

    @property
    def script(self) -> str:
        """The script's text; empty for a plain command."""
        return str(self.command[1]) if self.command[0] == "EVAL" else ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it declares; of a plain command, the one that it is about."""
        if self.script:
            return tuple(str(key) for key in self.command[3 : 3 + int(self.command[2])])
        return (str(self.command[1]),)

    @property
    def answer_bytes(self) -> int:
        """How much was answered."""
        return len(canonical_json(self.answer).encode())


class WatchedConnection(RedisConnection):
    """`RedisConnection` with a record."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(Settings(redis_url=url, redis_token=token))
        self.asked: list[Asked] = []

    async def execute(self, *command: str | int) -> Any:
        """Run one command; one request."""
        answer = await super().execute(*command)
        self.asked.append(Asked(command, answer))
        return answer

    async def pipeline(self, *commands: Sequence[str | int]) -> list[Any]:
        """Run several commands in one request."""
        answers = await super().pipeline(*commands)
        self.asked.extend(Asked(tuple(command), answer) for command, answer in zip(commands, answers, strict=True))
        return answers
