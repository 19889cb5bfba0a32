"""API keys on Redis: one hash with a record and a last day of use for each digest; each call is one request."""

import json
from typing import Any

from msgspec.structs import fields

from baton.adapters import keys
from baton.adapters.redis import RedisConnection
from baton.ports import StoredKey

_USED = "used:"
_FIELDS = tuple(field.name for field in fields(StoredKey) if field.name not in ("digest", "used_day"))


class RedisApiKeyStore:
    """`ApiKeyStore` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add(self, key: StoredKey) -> None:
        """Know a key from now on."""
        record = {name: getattr(key, name) for name in _FIELDS}
        await self._redis.execute("HSET", keys.API_KEYS, key.digest, json.dumps(record))

    async def find(self, digest: str) -> StoredKey | None:
        """The key of this digest."""
        record, day = await self._redis.execute("HMGET", keys.API_KEYS, digest, _USED + digest)
        return _stored(digest, record, day) if record else None

    async def all(self) -> tuple[StoredKey, ...]:
        """Every key, the oldest first."""
        # The SDK makes a dict of the flat reply.
        (entries,) = await self._redis.pipeline(["HGETALL", keys.API_KEYS])
        found = (
            _stored(name, record, entries.get(_USED + name, ""))
            for name, record in entries.items()
            if not name.startswith(_USED)
        )
        return tuple(sorted(found, key=lambda key: (key.created_ms, key.digest)))

    async def revoke(self, digest: str) -> bool:
        """Forget a key."""
        first, _ = await self._redis.pipeline(["HDEL", keys.API_KEYS, digest], ["HDEL", keys.API_KEYS, _USED + digest])
        return bool(first)

    async def used(self, digest: str, day: str) -> None:
        """Note that a key was used on this day."""
        await self._redis.execute("HSET", keys.API_KEYS, _USED + digest, day)


def _stored(digest: str, record: str, day: str | None) -> StoredKey:
    stored: dict[str, Any] = json.loads(record)
    known = {name: stored[name] for name in _FIELDS if name in stored}  # a later version may have written more
    return StoredKey(digest=digest, used_day=day or "", **known)
