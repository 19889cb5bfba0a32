"""Rate limits over all processes, with upstash-ratelimit's token bucket: one request, four commands at most.

Whoever has to wait is remembered until then, so that asking on meanwhile costs nothing.
"""

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from baton.adapters import keys
from baton.adapters.redis import RedisConnection, counted
from baton.ports import Clock

if TYPE_CHECKING:
    from upstash_ratelimit import TokenBucket
    from upstash_redis.asyncio import Redis

_MINUTE_MS = 60_000


class RedisRateLimit:
    """`RateLimit`: so many tokens a minute, and as many at once at most."""

    def __init__(self, connection: RedisConnection, clock: Clock, per_minute: int) -> None:
        self._redis = connection
        self._clock = clock
        self._per_minute = per_minute
        self._waits_until_ms: dict[str, int] = {}

    @cached_property
    def _bucket(self) -> "TokenBucket":
        from upstash_ratelimit import TokenBucket  # noqa: PLC0415 - webhooks build this adapter and never ask it

        return TokenBucket(self._per_minute, 1, max(1, _MINUTE_MS // self._per_minute), "ms")

    async def wait_seconds(self, name: str) -> float:
        """Take a token, or say when there will be one."""
        now_ms = self._clock.now_ms()
        until_ms = self._waits_until_ms.pop(name, 0)
        if until_ms <= now_ms:
            through = cast("Redis", _Scripts(self._redis))
            response = await self._bucket.limit_async(through, keys.rate_limit_key(name))
            if response.allowed:
                return 0
            until_ms = max(now_ms + 1, math.ceil(response.reset * 1000))
        self._waits_until_ms[name] = until_ms
        return (until_ms - now_ms) / 1000


class _Scripts:
    """The one method of the SDK's client that the library uses, with our time limits and errors."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection

    async def eval(self, text: str, keys_: list[str], args: list[Any]) -> Any:
        """Run a script."""
        return await self._connection.run(counted(text), keys_, args)
