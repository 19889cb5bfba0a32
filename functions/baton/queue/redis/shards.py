"""The queue's keys, in sixteen shards of a hash tag each, and the scripts that change a shard.

Invariant: a message's id names its shard, and all of it is there; every time is the store's own. Messages of one flow
key are in one shard, so that it counts them alone. Must not: know what a message is.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from baton.store.redis.connection import RedisConnection, counted
from baton_events.errors import PublishError, QueueRefusedError, StoreError, TooLargeForStoreError
from baton_events.ids import key_digest

SHARDS = 16
_ID = "msg_"
_KEYS = ("lanes", "due", "messages", "leases", "flows", "full", "log")
# Of the whole queue. Hashes: topic → its endpoints; schedule → its record; `current`, `following`, `before` → a key.
TOPICS, SCHEDULES, SIGNING_KEYS = (f"baton:{{queue}}:{name}" for name in ("topics", "schedules", "keys"))
# Sorted set: schedules that are not paused, by when they are due.
SCHEDULE_ORDER = f"{SCHEDULES}:order"


@cache
def shard_keys(shard: int) -> tuple[str, ...]:
    """Return the keys of a shard, in the scripts' order (lua/shard.lua)."""
    return tuple(f"baton:{{queue:{shard:x}}}:{name}" for name in _KEYS)


def once_key(shard: int, deduplication_id: str) -> str:
    """Return the key of a string: the message that came first with this id; it expires."""
    return f"baton:{{queue:{shard:x}}}:once:{key_digest(deduplication_id)}"


def dead_keys(shard: int) -> tuple[str, str]:
    """Return the keys of a hash and a sorted set: dead letters, and when each was given up."""
    return f"baton:{{queue:{shard:x}}}:dead", f"baton:{{queue:{shard:x}}}:dead:order"


def shard_for(name: str) -> int:
    return crc32(name.encode()) % SHARDS


def message_id(shard: int, token: str) -> str:
    return f"{_ID}{shard:x}{token}"


def shard_in(message: str) -> int:
    """Return the shard that a message's id names; of any other text, the first."""
    letter = message.removeprefix(_ID)[:1]
    return int(letter, 16) if message.startswith(_ID) and letter in set("0123456789abcdef") else 0


@cache
def _script(name: str) -> str:
    folder = Path(__file__).with_name("lua")
    own, shared = (folder.joinpath(f"{each}.lua").read_text(encoding="utf-8") for each in (name, "shard"))
    return counted(own, shared)


class Shards:
    """Runs the scripts. Each method raises PublishError and its kinds."""

    def __init__(self, connection: RedisConnection) -> None:
        self.redis = connection

    async def run(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run a script of lua/."""
        try:
            # A full store takes no new messages; to deliver those that are there gives it room.
            return await self.redis.run(_script(name), keys, args, frees=name != "publish")
        except StoreError as error:
            raise self._named(error) from error

    async def run_commands(self, *commands: Sequence[str | int]) -> list[Any]:
        """Run commands in one request, not as one."""
        try:
            return await self.redis.pipeline(*commands)
        except StoreError as error:
            raise self._named(error) from error

    async def settle(self, message: str, lease: str, what: str, *more: str | int) -> bool:
        """End an attempt (lua/settle.lua); return whether its lease still was what it is."""
        shard = shard_in(message)
        wait_ms, *rest = more or (0,)
        args = [message, lease, what, wait_ms, *rest, *[""] * (5 - len(rest))]
        return bool(await self.run("settle", (*shard_keys(shard), *dead_keys(shard)), args))

    def _named(self, error: StoreError) -> PublishError:
        kind = QueueRefusedError if isinstance(error, TooLargeForStoreError) else PublishError
        return kind(f"the queue in the store did not take it: {error}")


class OnShards:
    """A part of the queue; all of them have one connection."""

    _shards: Shards

    async def close(self) -> None:
        """Close the store's connection; a later use opens it again."""
        await self._shards.redis.close()
