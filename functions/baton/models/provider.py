"""A provider's model by its name, such as `openai:gpt-5-mini`: one request, one answer, nothing remembered.

Invariant: making one loads nothing; the provider's library is loaded, in a thread, by the first turn, and what is
missing then (library, key) is a permanent `ModelError` that says what to do. Must not: retry, which is the job's own.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable

from baton.models.model import ModelAnswer, ModelError, ModelRequest
from baton.own_threads import in_own_thread

Ask = Callable[[ModelRequest], Awaitable[ModelAnswer]]


class ProviderModel:
    """The model of that name, with pydantic-ai's class for it."""

    reads_history = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._ask: Ask | None = None
        self._loading = asyncio.Lock()

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask the provider once."""
        if self._ask is None:
            async with self._loading:
                if self._ask is None:
                    self._ask = await in_own_thread(_load, self.name)
        ask = self._ask
        assert ask is not None, "it has just been loaded"
        return await ask(request)


def _load(name: str) -> Ask:
    """Load the provider's library, which takes a second, and make its client."""
    try:
        client = importlib.import_module("baton.models.providers.client")
        ask: Ask = client.ProviderClient(name).answer
    except ImportError as error:
        raise ModelError(
            f"the library of model {name!r} is not installed: {error}; install Baton's extra 'models', or the extra"
            " of pydantic-ai-slim for this provider",
            retryable=False,
        ) from error
    return ask
