"""The list of jobs on Upstash Redis: one sorted set in the order of its members' bytes, written by lua/wish.lua."""

from collections.abc import Sequence

from events.adapters import keys
from events.adapters.redis import RedisConnection
from events.core.listing import Found, Query, all_members, bounds, found, matching
from events.ports import Scanned


class RedisListing:
    """`Listing` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Look at up to `limit` rows."""
        highest, lowest = bounds(query, before)
        # Without WITHSCORES: the SDK leaves the reply as it is, a list of members.
        stored: list[str] = await self._redis.execute(
            "ZRANGE", keys.ADMISSION_LISTING, f"({highest}", f"[{lowest}", "BYLEX", "REV", "LIMIT", 0, limit
        )
        return Scanned(matching(query, stored), found(stored[-1]).position if len(stored) == limit else "")

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows of these jobs."""
        if found:
            gone = sorted({name for one in found for name in all_members(one.member)})
            await self._redis.execute("ZREM", keys.ADMISSION_LISTING, *gone)
