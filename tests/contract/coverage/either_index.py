"""The Python SDK's vector index, synchronous or asynchronous, behind one way to call it: `await index.upsert(...)`."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from upstash_vector import AsyncIndex, Index


class Either:
    """An object of the SDK; what its methods return is awaited if it has to be."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._real, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            outcome = method(*arguments, **options)
            return await outcome if inspect.isawaitable(outcome) else outcome

        return call


class EitherIndex(Either):
    """A client of either kind."""

    def __init__(self, kind: str, url: str, token: str) -> None:
        super().__init__((Index if kind == "sync" else AsyncIndex)(url, token, retries=0))

    async def close(self) -> None:
        """End the connections (the SDK has no way of its own)."""
        if isinstance(self._real, AsyncIndex):
            await self._real._client.aclose()
        else:
            self._real._client.close()
