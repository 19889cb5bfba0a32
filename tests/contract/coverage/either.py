"""An object of an official SDK, synchronous or asynchronous, behind one way to call it: `await either.method(...)`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_vector import AsyncIndex, Index


class Either:
    """What its methods return is awaited if it has to be; `real` is the object itself."""

    def __init__(self, real: Any, *, in_thread: bool = False) -> None:
        self.real, self._in_thread = real, in_thread

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.real, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            if self._in_thread:
                return await asyncio.to_thread(method, *arguments, **options)
            outcome = method(*arguments, **options)
            return await outcome if inspect.isawaitable(outcome) else outcome

        return call


class EitherRedis(Either):
    """A Redis client of either kind, without retries."""

    def __init__(self, kind: str, url: str, token: str) -> None:
        super().__init__((Redis if kind == "sync" else AsyncRedis)(url, token, rest_retries=0))


class EitherIndex(Either):
    """A vector index of either kind, without retries unless some are asked for."""

    def __init__(self, kind: str, url: str, token: str, retries: int = 0) -> None:
        make: Any = Index if kind == "sync" else AsyncIndex
        super().__init__(make(url, token, retries=retries, retry_interval=0.01))

    async def close(self) -> None:
        transport = self.real._client
        if isinstance(self.real, AsyncIndex):
            await transport.aclose()
        else:
            transport.close()
