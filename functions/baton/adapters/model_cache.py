"""The model cache on Redis: one GET before a call, one SET with its expiry after it, each one request."""

from baton.adapters import keys
from baton.adapters.redis import RedisConnection


class RedisModelCache:
    """`ModelCache` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def get(self, tenant: str, key: str) -> str | None:
        """What is kept under the key."""
        found = await self._redis.execute("GET", keys.model_cache_key(tenant, key))
        return None if found is None else str(found)

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        """Keep a text."""
        await self._redis.execute("SET", keys.model_cache_key(tenant, key), text, "EX", seconds)
