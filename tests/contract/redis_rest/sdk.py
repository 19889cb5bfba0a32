"""The official Python SDK, sync or async, behind one way of calling it, so that each test runs with both."""

from typing import Any

from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis

from tests.contract.redis_rest.local_redis import TOKEN


class Sdk:
    """One client; `await sdk.run("set", "k", "v")` whichever it is."""

    def __init__(self, kind: str, url: str) -> None:
        self._client: Any = (Redis if kind == "sync" else AsyncRedis)(url, TOKEN, rest_retries=0)
        self._is_async = kind == "async"

    async def run(self, name: str, /, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client."""
        return await self._settled(getattr(self._client, name)(*arguments, **options))

    async def batch(self, kind: str, *calls: tuple[Any, ...]) -> Any:
        """Run calls, each a method's name and its arguments, as a `pipeline` or a `multi`."""
        batch = getattr(self._client, kind)()
        for name, *arguments in calls:
            getattr(batch, name)(*arguments)
        return await self._settled(batch.exec())

    async def close(self) -> None:
        """End the client's connections."""
        await self._settled(self._client.close())

    async def _settled(self, outcome: Any) -> Any:
        return await outcome if self._is_async else outcome
