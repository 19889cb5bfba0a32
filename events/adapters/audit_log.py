"""What operators did, in one Redis stream that keeps the newest entries; one request and one command each."""

import json
from dataclasses import asdict

from events.adapters import keys
from events.adapters.redis import RedisConnection
from events.ports import AuditEntry


class RedisAuditLog:
    """`AuditLog` over one connection."""

    def __init__(self, connection: RedisConnection, length: int) -> None:
        self._redis = connection
        self._length = length

    async def add(self, entry: AuditEntry) -> None:
        """Keep an entry; the server numbers it."""
        text = json.dumps(asdict(entry))
        await self._redis.execute("XADD", keys.AUDIT, "MAXLEN", "~", self._length, "*", "entry", text)

    async def page(self, before: str, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """Entries with their ids, the newest first."""
        newest = f"({before}" if before else "+"
        rows = await self._redis.execute("XREVRANGE", keys.AUDIT, newest, "-", "COUNT", limit)
        return tuple((str(row[0]), AuditEntry(**json.loads(row[1][1]))) for row in rows or [])
