"""The deployment's counters: one hash of sums on Upstash Redis, which the store's requests add to, too."""

from collections.abc import Mapping

from baton.adapters import keys
from baton.adapters.redis import RedisConnection


def adding(counts: Mapping[str, int]) -> list[list[str | int]]:
    """The commands that add to the sums."""
    return [["HINCRBY", keys.COUNTERS, name, much] for name, much in counts.items()]


class RedisCounters:
    """`Counters` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums, by name."""
        if counts:
            await self._redis.pipeline(*adding(counts))

    async def sums(self) -> dict[str, int]:
        """All sums, by name."""
        # The SDK makes a dict of the flat reply.
        (sums,) = await self._redis.pipeline(["HGETALL", keys.COUNTERS])
        return {name: int(much) for name, much in sums.items()}
