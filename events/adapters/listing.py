"""The list of jobs on Upstash Redis: one sorted set in the order of its members' bytes."""

import math
from collections.abc import Sequence

from events.adapters import keys
from events.adapters.redis import RedisConnection
from events.core.listing import Found, Query, Row, all_members, bounds, found, matching, members, ranges_below
from events.ports import Scanned


class RedisListing:
    """`Listing` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add(self, row: Row) -> None:
        """Write a job's rows."""
        rows = [text for member in members(row) for text in ("0", member)]
        await self._redis.run_beside(["ZADD", keys.ADMISSION_LISTING, *rows])

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Look at up to `limit` rows."""
        highest, lowest = bounds(query, before)
        # Without WITHSCORES: the SDK leaves the reply as it is, a list of members.
        stored: list[str] = await self._redis.execute(
            "ZRANGE", keys.ADMISSION_LISTING, f"({highest}", f"[{lowest}", "BYLEX", "REV", "LIMIT", 0, limit
        )
        return Scanned(matching(query, stored), found(stored[-1]).position if len(stored) == limit else "")

    async def old(self, before_ms: int, turn: int, limit: int) -> tuple[Found, ...]:
        """Some of the jobs created before then: two requests."""
        highest, lowest = bounds(Query(before_ms=before_ms), "")
        count = int(await self._redis.execute("ZLEXCOUNT", keys.ADMISSION_LISTING, f"[{lowest}", f"({highest}"))
        if not count:
            return ()
        start = turn % math.ceil(count / limit) * limit
        stored: list[str] = await self._redis.execute(
            "ZRANGE", keys.ADMISSION_LISTING, f"[{lowest}", f"({highest}", "BYLEX", "LIMIT", start, limit
        )
        return tuple(found(member) for member in stored)

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows of these jobs, in one request."""
        if found:
            gone = sorted({name for one in found for name in all_members(one.member)})
            below = [
                ["ZREMRANGEBYLEX", keys.ADMISSION_LISTING, f"[{lowest}", f"({highest}"]
                for one in found
                for lowest, highest in ranges_below(one.job_id)
            ]
            await self._redis.pipeline(["ZREM", keys.ADMISSION_LISTING, *gone], *below)
