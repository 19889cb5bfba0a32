"""The store's real connection, which also keeps what was asked and answered."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.transport.redis_resp import keys_of
from baton_events.ids import canonical_json


@dataclass(frozen=True, slots=True)
class Requested:
    """One command of one request, its answer, and the script's text; that is empty for a plain command."""

    command: tuple[str | int, ...]
    answer: Any
    script: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it declares; of a plain command, the one that it is about."""
        if self.script:
            return tuple(str(key) for key in self.command[3 : 3 + int(self.command[2])])
        return keys_of(self.command)

    @property
    def answer_bytes(self) -> int:
        return len(canonical_json(self.answer).encode())


class WatchedConnection(RedisConnection):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.requested: list[Requested] = []
        self._texts: dict[str, str] = {}

    def _text(self, text: str) -> str:
        text = super()._text(text)
        self._texts[hashlib.sha1(text.encode()).hexdigest()] = text
        return text

    async def _send(self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False) -> list[Any]:
        answers = await super()._send(commands, beside_scripts=beside_scripts)
        self.requested.extend(
            Requested(tuple(command), answer, self._script(command))
            for command, answer in zip(commands, answers, strict=True)
        )
        return answers

    def _script(self, command: Sequence[str | int]) -> str:
        if command[0] == "EVAL":
            return str(command[1])
        return self._texts[str(command[1])] if command[0] == "EVALSHA" else ""
