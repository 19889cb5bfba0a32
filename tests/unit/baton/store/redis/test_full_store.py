"""A store whose memory is full: what reads or frees runs, what needs more is refused and names the memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from upstash_redis.errors import UpstashError

from baton.engine.all_jobs.ends import End
from baton.engine.commit.patch import Patch
from baton.engine.commit.stored_bytes import BytesAdded
from baton.sdk.records.memory import MemoryEntry
from baton.settings.settings import Settings
from baton.store.redis import keys
from baton.store.redis.agent_memory import RedisSessionMemory
from baton.store.redis.connection import RedisConnection, counted
from baton.store.redis.reader import Reader
from baton.store.redis.totals import EndedSums, StoredBytes, line_of
from baton_events.errors import StoreFullError
from baton_local.redis.resp import ServerError
from tests.fakes.stored import FakeConnection
from tests.unit.baton.store.transport.resp_server import RespServer

FULL_TEXT = "OOM allow-oom flag is not set on the script,  can not run it when used memory > 'maxmemory'."
FULL = ServerError(FULL_TEXT.encode())
FULL_FOR_ONE = ServerError(b"OOM command not allowed when used memory > 'maxmemory'.")


def full(command: list[str]) -> Any:
    """Refuse as Valkey does."""
    if command[0] == "EVAL":
        line = command[1].partition("\n")[0]
        return [1, 1, []] if "allow-oom" in line else FULL
    return FULL if command[0] == "EVALSHA" else FULL_FOR_ONE if command[0] in ("SET", "HSET") else 1


@asynccontextmanager
async def full_store() -> AsyncIterator[tuple[RespServer, RedisConnection]]:
    async with RespServer(full) as server:
        redis = RedisConnection(Settings(resp_url=server.address))
        yield server, redis
        await redis.close()


def patched(*writes: tuple[str, list[str]]) -> Patch:
    patch = Patch(0)
    for command, arguments in writes:
        patch.write(command, "key", arguments)
    return patch


@pytest.mark.parametrize(
    ("patch", "frees"),
    [
        (patched(), True),
        (patched(("DEL", [])), True),
        (patched(("HDEL", ["a"]), ("PEXPIRE", ["1"])), True),
        (patched(("DEL", []), ("SET", ["tombstone"])), True),
        (patched(("HSET", ["a", "b"])), False),
        (patched(("HDEL", ["a"]), ("HSET", ["a", "b"])), False),
        (patched(("RPUSH", ["a"])), False),
    ],
)
async def test_what_only_frees_memory_is_written_and_the_rest_is_refused_by_name(patch: Patch, *, frees: bool) -> None:
    async with full_store() as (server, redis):
        if frees:
            assert await redis.written(patch) is True
        else:
            with pytest.raises(StoreFullError, match="no memory left"):
                await redis.written(patch)
        flagged = [command for command in server.requested if command[0] == "EVAL" and "allow-oom" in command[1]]
        assert len(flagged) == frees
        assert all(command[1].startswith("#!lua flags=allow-oom\n") for command in flagged)


async def test_a_script_says_whether_it_frees() -> None:
    async with full_store() as (_, redis):
        text = counted("return 1")
        await redis.run(text, ["key"], [], frees=True)
        with pytest.raises(StoreFullError):
            await redis.run(text, ["key"], [])


class FullConnection(FakeConnection):
    """A connection to a Redis of this process, whose memory is full from some moment on."""

    is_full = False

    async def _send(self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False) -> list[Any]:
        answers = await super()._send([each for each in commands if not self._refused(each)])
        following = iter(answers)
        return [UpstashError(FULL_TEXT) if self._refused(each) else next(following) for each in commands]

    def _refused(self, command: Sequence[str | int]) -> bool:
        said = full([str(part) for part in command])
        return self.is_full and isinstance(said, ServerError)


async def test_a_session_is_forgotten_while_the_memory_is_full() -> None:
    redis = FullConnection()
    memory = RedisSessionMemory(redis, 60_000)
    entry = MemoryEntry("e1", "note", "text", "s", "clerk", "job_1", created_ms=1)
    await memory.add("acme", entry)
    redis.is_full = True
    with pytest.raises(StoreFullError):
        await memory.add("acme", replace(entry, id="e2"))
    assert await memory.forget("acme", "s", 5) == ("e1",)
    assert await memory.forget("acme", "never used", 5) == ()
    redis.is_full = False
    assert await memory.add("acme", entry) is False


async def test_bytes_are_given_back_while_the_memory_is_full() -> None:
    redis = FullConnection()
    stored = StoredBytes(redis)
    await stored.add("acme", BytesAdded({5: 100, 7: 3}, 60_000))
    redis.is_full = True
    with pytest.raises(StoreFullError):
        await stored.add("acme", BytesAdded({5: -1, 7: 1}, 60_000))
    await stored.add("acme", BytesAdded({5: -100}, 60_000))
    assert await stored.sums("acme") == {5: 0, 7: 3}


async def test_sums_are_as_they_were_before_the_memory_was_full() -> None:
    """Metrics and usage are read then more than ever; the next reader counts what has ended since."""
    redis, line = FullConnection(), line_of("clerk", "acme", End("completed", 1, 1, 2, 3, 4), [])
    sums = EndedSums(redis)
    for is_full, completed in ((False, 1), (True, 1), (False, 3)):
        redis.is_full = False
        await redis.execute("HSET", keys.SLOTS, f"{keys.SLOT_END}{completed}\0job", line)
        await redis.execute("ZADD", keys.SLOT_ORDER, 0, f"{keys.SLOT_ENDS}{completed}\0job")
        redis.is_full = is_full
        assert (await sums.ends())["clerk"].completed == completed


async def test_readiness_needs_a_store_that_takes_writes() -> None:
    async with full_store() as (_, redis):
        with pytest.raises(StoreFullError):
            await Reader(redis).ping()
