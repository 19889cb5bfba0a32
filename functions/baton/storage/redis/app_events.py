"""Records of app events on Upstash Redis: a hash for each, which expires."""

from typing import Any

from baton.storage.ports.app_events import EventRecord
from baton.storage.redis import keys
from baton.storage.redis.connection import RedisConnection

_EVENT, _HANDLER, _NOTE = "event", "handler:", "note:"


class RedisAppEvents:
    """`AppEvents` over one connection."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms

    async def add(self, event_id: str, event: str, handlers: tuple[str, ...] = ()) -> EventRecord:
        """Keep an event, and these of its handlers."""
        key = keys.app_event_key(event_id)
        handled = [field for name in handlers for field in (_HANDLER + name, "1")]
        *_, found = await self._redis.pipeline(
            ["HSETNX", key, _EVENT, event],
            *([["HSET", key, *handled]] if handled else []),
            ["PEXPIRE", key, self._retention_ms],
            ["HGETALL", key],
        )
        return _record(found)

    async def note(self, event_id: str, name: str, text: str) -> str:
        """Keep a note."""
        key = keys.app_event_key(event_id)
        *_, kept = await self._redis.pipeline(
            ["HSETNX", key, _NOTE + name, text], ["PEXPIRE", key, self._retention_ms], ["HGET", key, _NOTE + name]
        )
        return str(kept)

    async def find(self, event_id: str) -> EventRecord | None:
        """Return what is kept of an event."""
        (found,) = await self._redis.pipeline(["HGETALL", keys.app_event_key(event_id)])
        return _record(found) if found and _EVENT in found else None


def _record(found: dict[str, Any]) -> EventRecord:
    """The SDK makes a dict of the flat reply."""
    handlers = sorted(name.removeprefix(_HANDLER) for name in found if name.startswith(_HANDLER))
    notes = {name.removeprefix(_NOTE): text for name, text in found.items() if name.startswith(_NOTE)}
    return EventRecord(found.get(_EVENT, ""), tuple(handlers), notes)
