"""Stored bytes on Upstash Redis: a hash for each tenant, a field for each time until which bytes stay.

It has the admission's hash tag, so that an end and its bytes are counted by one script.
"""

from collections.abc import Iterable

from baton.adapters import keys
from baton.adapters.redis import RedisConnection
from baton.adapters.redis_commands import Command
from baton.core.stored_bytes import BytesAdded


class RedisStoredBytes:
    """`StoredBytes` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def sums(self, tenant: str) -> dict[int, int]:
        """All of them."""
        found = await self._redis.execute("HGETALL", keys.stored_bytes_key(tenant))
        return {int(until_ms): int(size) for until_ms, size in (found or {}).items()}

    async def add(self, tenant: str, more: BytesAdded) -> None:
        """Add to the sums."""
        key = keys.stored_bytes_key(tenant)
        added: list[Command] = [("HINCRBY", key, str(until_ms), size) for until_ms, size in more.adds.items()]
        if added:
            await self._redis.pipeline(*added, ["PEXPIRE", key, more.kept_ms])

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Take sums out."""
        if fields := [str(each) for each in until_ms]:
            await self._redis.execute("HDEL", keys.stored_bytes_key(tenant), *fields)
