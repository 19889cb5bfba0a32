"""API keys, rate limits and the audit log on Redis, each call one request.

Keys are one hash with a record and a last day of use for each digest; the audit log is one stream that keeps the newest
entries. Rate limits hold over all processes, with upstash-ratelimit's token bucket: a caller that has to wait is
remembered until then, so that its requests cost nothing meanwhile.
"""

import json
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import asdict, fields

from baton.sdk.clock import Clock
from baton.store.records.access import AuditEntry, StoredKey
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection, counted
from baton_events.errors import UnreadablePayloadError
from baton_events.sealing import PayloadContext, Sealing

if TYPE_CHECKING:
    from upstash_ratelimit import TokenBucket
    from upstash_redis.asyncio import Redis


_USED = "used:"
_KEY_FIELDS = tuple(field.name for field in fields(StoredKey) if field.name not in ("digest", "used_day"))


class ApiKeyStore:
    """Keys by digest. Each method raises StoreError when the store does not answer, and may be repeated."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add(self, key: StoredKey) -> None:
        record = {name: getattr(key, name) for name in _KEY_FIELDS}
        await self._redis.execute("HSET", keys.API_KEYS, key.digest, json.dumps(record))

    async def find(self, digest: str) -> StoredKey | None:
        """Return the key of this digest; None: unknown or revoked."""
        record, day = await self._redis.execute("HMGET", keys.API_KEYS, digest, _USED + digest)
        return _stored(digest, record, day) if record else None

    async def all(self) -> tuple[StoredKey, ...]:
        """Return every key, the oldest first."""
        # The SDK makes a dict of the flat reply.
        (entries,) = await self._redis.pipeline(["HGETALL", keys.API_KEYS])
        found = (
            _stored(name, record, entries.get(_USED + name, ""))
            for name, record in entries.items()
            if not name.startswith(_USED)
        )
        return tuple(sorted(found, key=lambda key: (key.created_ms, key.digest)))

    async def revoke(self, digest: str) -> bool:
        """Forget a key; False: it was not known."""
        first, _ = await self._redis.pipeline(["HDEL", keys.API_KEYS, digest], ["HDEL", keys.API_KEYS, _USED + digest])
        return bool(first)

    async def used(self, digest: str, day: str) -> None:
        await self._redis.execute("HSET", keys.API_KEYS, _USED + digest, day)


def _stored(digest: str, record: str, day: str | None) -> StoredKey:
    stored: dict[str, Any] = json.loads(record)
    known = {name: stored[name] for name in _KEY_FIELDS if name in stored}  # a later version may have written more
    return StoredKey(digest=digest, used_day=day or "", **known)


AUDIT_PLACE = "audit"
_AUDIT_FIELDS = tuple(field.name for field in fields(AuditEntry))


class AuditLog:
    """The newest actions, up to a number; a failover of the store may forget the last seconds of them.

    The detail of an entry, which is of a request's body, is sealed.
    """

    def __init__(self, connection: RedisConnection, length: int) -> None:
        self._redis = connection
        self._length = length

    async def add(self, entry: AuditEntry) -> None:
        """Keep an entry; a repeated one may be kept twice. Raises StoreError: it may be kept or not."""
        record, sealing = asdict(entry), self._redis.sealing
        if sealing.is_own:
            await sealing.ready()
        if sealing.first and entry.detail:
            context = PayloadContext(entry.tenant, "text", AUDIT_PLACE)
            record["detail"] = sealing.seal(json.dumps(entry.detail), context)
        text = json.dumps(record)
        await self._redis.execute("XADD", keys.AUDIT, "MAXLEN", "~", self._length, "*", "entry", text)

    async def page(self, before: str, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """Return entries with their ids, the newest first; `before`: an id, only older ones; empty: all.

        Raises StoreError: no answer.
        """
        if before and not before.strip("0-"):
            return ()  # nothing is older than zero, and the store refuses to be asked
        newest = f"({before}" if before else "+"
        rows = await self._redis.execute("XREVRANGE", keys.AUDIT, newest, "-", "COUNT", limit)
        return tuple((str(row[0]), _entry(row[1][1], self._redis.sealing)) for row in rows or [])


def _entry(text: str, sealing: Sealing) -> AuditEntry:
    stored: dict[str, Any] = json.loads(text)
    if isinstance(sealed := stored.get("detail"), str):
        try:
            stored["detail"] = json.loads(sealing.open(sealed, "text", AUDIT_PLACE))
        except UnreadablePayloadError as error:
            stored["detail"] = {"unreadable": {"keyIds": [error.key_id]}}
    return AuditEntry(
        **{name: stored[name] for name in _AUDIT_FIELDS if name in stored}
    )  # a later version may write more


_MINUTE_MS = 60_000


class RateLimit:
    """A bucket of tokens for each name, which fills by itself.

    `per_minute` tokens a minute, and as many at once at most.
    """

    def __init__(self, connection: RedisConnection, clock: Clock, per_minute: int) -> None:
        self._redis = connection
        self._clock, self._per_minute = clock, per_minute
        self._waits_until_ms: dict[str, int] = {}

    @cached_property
    def _bucket(self) -> "TokenBucket":
        from upstash_ratelimit import TokenBucket  # noqa: PLC0415 - webhooks build this adapter and never ask it

        return TokenBucket(self._per_minute, 1, max(1, _MINUTE_MS // self._per_minute), "ms")

    async def wait_seconds(self, name: str) -> float:
        """Take a token, and return 0; or return the seconds until there is one.

        Raises StoreError: no answer; a token may have been taken.
        """
        now_ms = self._clock.now_ms()
        until_ms = self._waits_until_ms.pop(name, 0)
        if until_ms <= now_ms:
            through = cast("Redis", _Scripts(self._redis))
            response = await self._bucket.limit_async(through, keys.rate_limit_key(name))
            if response.allowed:
                return 0
            until_ms = max(now_ms + 1, math.ceil(response.reset * 1000))
        self._waits_until_ms[name] = until_ms
        return (until_ms - now_ms) / 1000


class _Scripts:
    """The one method of the SDK's client that the library uses, with our time limits and errors."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection

    async def eval(self, text: str, keys_: list[str], args: list[Any]) -> Any:
        return await self._connection.run(counted(text), keys_, args)
