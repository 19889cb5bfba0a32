"""A model that keeps what it is asked."""

import inspect
from collections.abc import Awaitable, Callable

from baton.sdk.models.model import Message, ModelAnswer, ModelRequest


class Listening:
    """It answers as `answers` says, such as a `ScriptedModel`'s."""

    name, reads_history = "listening", True
    takes_files: tuple[str, ...] = ()

    def __init__(
        self, answers: Callable[[ModelRequest], ModelAnswer | Awaitable[ModelAnswer]] = lambda _: ModelAnswer("done")
    ) -> None:
        self._answers = answers
        self.requests: list[ModelRequest] = []

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        answer = self._answers(request)
        return await answer if inspect.isawaitable(answer) else answer

    @property
    def found(self) -> list[tuple[Message, ...]]:
        return [request.messages for request in self.requests]
