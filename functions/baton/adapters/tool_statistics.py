"""How tools are used, from one hash of counts on Upstash Redis; the store counts, in the request of a COMMIT."""

from baton.adapters import keys
from baton.adapters.redis import RedisConnection
from baton.core.tool_use import ToolCounters, counters


class RedisToolStatistics:
    """`ToolStatistics` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Of every tool that was ever used, by name."""
        # The SDK makes a dict of the flat reply.
        (counts,) = await self._redis.pipeline(["HGETALL", keys.TOOL_USE])
        return counters({name: int(count) for name, count in counts.items()})
