"""Answers of the store, recorded once from a real one and played back: the adapters do all their work, without sockets.

Invariant: played back, the same requests come in the same order, since clock, randomness and model are the same each
time. Both stand where all that a connection asks goes through.
"""

from collections.abc import Sequence
from typing import Any

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection

Answer = list[Any]


class RecordingConnection(RedisConnection):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.answers: list[Answer] = []

    async def _send(self, commands: Sequence[Any], *, beside_scripts: bool = False) -> Answer:
        answer = await super()._send(commands, beside_scripts=beside_scripts)
        self.answers.append(answer)
        return answer


class PlayedConnection(RedisConnection):
    """A connection that answers as a recorded one was answered, from the beginning again after `rewind`."""

    def __init__(self, settings: Settings, answers: Sequence[Answer]) -> None:
        super().__init__(settings)
        self.answers = answers
        self.answered = 0
        self._next = 0

    def rewind(self) -> None:
        self._next = 0

    async def _send(self, commands: Sequence[Any], *, beside_scripts: bool = False) -> Answer:
        self._next += 1
        self.answered += 1
        return self.answers[self._next - 1]
