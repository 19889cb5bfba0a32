"""What operators did, in one Redis stream that keeps the newest entries; one request and one command each."""

import json
from typing import Any

from msgspec.structs import asdict, fields

from baton.adapters import keys
from baton.adapters.redis import RedisConnection
from baton.ports import AuditEntry

_FIELDS = tuple(field.name for field in fields(AuditEntry))


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
        return tuple((str(row[0]), _entry(row[1][1])) for row in rows or [])


def _entry(text: str) -> AuditEntry:
    stored: dict[str, Any] = json.loads(text)
    return AuditEntry(**{name: stored[name] for name in _FIELDS if name in stored})  # a later version may write more
