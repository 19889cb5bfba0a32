"""`operations:completed` on Upstash Redis: a stream read by a consumer group, without blocking, which REST has not.

Invariant: an entry leaves the group when it was taken in or buried, never before. A reader that dies leaves it pending,
and after a minute the next one claims it.
"""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton_events.errors import StoreError
from baton_events.sealing import PayloadContext

_CONSUMER = "sweep"
_IDLE_MS = 60_000
# Upstash gives a consumer at most 1,000 entries that it has not acknowledged (redis-rest.md).
_AT_ONCE = 100
_BURIED_KEPT, _BURIED_CHARS = 1_000, 5_000


class StreamEntry(Struct, frozen=True):
    """One entry: its id, which begins with the time at which it was added, and its fields."""

    id: str
    fields: dict[str, str]

    @property
    def added_ms(self) -> int:
        """The time at which it was added, by the store's clock."""
        return int(self.id.partition("-")[0])


class OperationStream:
    """The stream `operations:completed`, at least once; and the operations that wait for an outcome by it.

    Of one stream of the store, read in one group.

    `most_entries`: how many stay for other readers after they were taken in.
    """

    def __init__(self, connection: RedisConnection, most_entries: int, name: str, group: str) -> None:
        self._redis = connection
        self._most_entries, self._name, self._group = most_entries, name, group

    async def take(self) -> Sequence[StreamEntry]:
        """Return entries that are not taken, and those taken a minute ago and not done; a bounded number."""
        stream, group = self._name, self._group
        claim: list[str | int] = ["XAUTOCLAIM", stream, group, _CONSUMER, _IDLE_MS, "0-0", "COUNT", _AT_ONCE]
        read: list[str | int] = ["XREADGROUP", "GROUP", group, _CONSUMER, "COUNT", _AT_ONCE, "STREAMS", stream, ">"]
        try:
            claimed, fresh = await self._redis.pipeline(claim, read)
        except StoreError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            claimed, fresh = await self._redis.pipeline(claim, read)
        return [*_entries(claimed[1]), *(entry for _, rows in fresh or () for entry in _entries(rows))]

    async def _make_group(self) -> None:
        """Make the group at the stream's beginning: entries from before the first read count."""
        try:
            await self._redis.execute("XGROUP", "CREATE", self._name, self._group, "0", "MKSTREAM")
        except StoreError as error:
            if "BUSYGROUP" not in str(error):  # another process was faster
                raise

    async def done(self, entry_ids: Sequence[str]) -> None:
        """Mark entries as taken in, so that they are not given out again."""
        if entry_ids:
            await self._redis.execute("XACK", self._name, self._group, *entry_ids)

    async def bury(self, entry: StreamEntry, reason: str) -> None:
        """Keep the entry's beginning with the reason, then let it go; a process that is cut off in between repeats it.

        The key stays below ten megabytes; the entry itself stays in the stream until it is trimmed. While texts are
        sealed, its fields are one, and sealed: the stream itself has what others wrote there.
        """
        sealing, fields = self._redis.sealing, [text[:_BURIED_CHARS] for item in entry.fields.items() for text in item]
        if sealing.first:
            text = json.dumps([reason, *fields])
            reason, fields = "", ["entry", sealing.seal(text, PayloadContext("", "text", keys.OPERATIONS_DEAD))]
        limit: list[str | int] = ["MAXLEN", "~", _BURIED_KEPT, "*"]
        add: list[str | int] = ["XADD", keys.OPERATIONS_DEAD, *limit, "entry", entry.id, "reason", reason, *fields]
        await self._redis.execute(*add)  # kept before it is let go: the two streams may be on two servers
        await self._redis.execute("XACK", self._name, self._group, entry.id)

    async def trim(self) -> None:
        """Drop the oldest entries: never one that is still to be taken in, nor a newer one."""
        stream = self._name
        length, pending = await self._redis.pipeline(["XLEN", stream], ["XPENDING", stream, self._group])
        command = trimming(int(length), str(pending[1] or ""), self._most_entries)
        if command:
            await self._redis.execute("XTRIM", stream, *command)

    async def expect(self, operation_id: str, until_ms: int) -> None:
        """Note that an operation waits for its outcome, until `until_ms` at the latest."""
        await self._redis.execute("ZADD", keys.OPERATIONS_EXPECTED, until_ms, operation_id)

    async def forget(self, operation_id: str) -> None:
        """Note that it waits no longer."""
        await self._redis.execute("ZREM", keys.OPERATIONS_EXPECTED, operation_id)

    async def expected(self, now_ms: int) -> int:
        """Return how many operations wait."""
        _, count = await self._redis.pipeline(
            ["ZREMRANGEBYSCORE", keys.OPERATIONS_EXPECTED, "-inf", now_ms], ["ZCARD", keys.OPERATIONS_EXPECTED]
        )
        return int(count)


def trimming(length: int, oldest_pending: str, most: int) -> tuple[str | int, ...]:
    """Return how to trim a stream whose entries are all given out; empty: not now.

    Entries that are not done are among the newest `most`, or nothing is dropped; in a stream of twice as many, all
    before the oldest of them are.
    """
    if length <= most:
        return ()
    if not oldest_pending:
        return ("MAXLEN", "~", most)
    return ("MINID", "~", oldest_pending) if length > 2 * most else ()


def _entries(rows: Sequence[Any]) -> list[StreamEntry]:
    """Convert rows of `[id, [field, value, …]]`; an entry that was deleted meanwhile has no fields."""
    return [
        StreamEntry(str(row[0]), dict(zip(row[1][::2], row[1][1::2], strict=True))) for row in rows if row and row[1]
    ]
