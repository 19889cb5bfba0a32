"""A session's newest memory entries on Upstash Redis: one hash, under a hash tag of its own; each write one script."""

from functools import cache

import msgspec

from baton.adapters import keys
from baton.adapters.redis import RedisConnection, script
from baton.ports import MemoryEntry
from baton.ports.memory import SESSION_ENTRIES

_text = cache(script)
_encode = msgspec.json.Encoder().encode
_ENTRY = msgspec.json.Decoder(MemoryEntry)


class RedisSessionMemory:
    """`SessionMemory` over one connection. A session's memory expires `retention_ms` after it was last added to."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms

    async def add(self, tenant: str, entry: MemoryEntry) -> bool:
        """Keep an entry among the newest ones; False: its session was forgotten after its job was submitted."""
        kept = await self._redis.run(
            _text("memory_add"),
            [keys.session_memory_key(tenant, entry.session_id)],
            [entry.id, entry.created_ms, _encode(entry).decode(), SESSION_ENTRIES, self._retention_ms],
        )
        return bool(kept)

    async def recent(self, tenant: str, session_id: str) -> tuple[MemoryEntry, ...]:
        """The session's entries, the oldest first."""
        # The SDK makes a dict of each flat reply in a pipeline.
        (fields,) = await self._redis.pipeline(["HGETALL", keys.session_memory_key(tenant, session_id)])
        texts = (text.partition(" ")[2] for field, text in fields.items() if field.startswith("entry:"))
        return tuple(sorted(map(_ENTRY.decode, texts), key=lambda entry: (entry.created_ms, entry.id)))

    async def forget(self, tenant: str, session_id: str, now_ms: int) -> tuple[str, ...]:
        """Forget the session, and refuse what jobs submitted until now still add; the ids that were there."""
        ids = await self._redis.run(
            _text("memory_forget"),
            [keys.session_memory_key(tenant, session_id)],
            [now_ms, self._retention_ms],
        )
        return tuple(ids)
