"""A store whose memory is full: what reads or frees runs, what needs more is refused and names the memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from baton.engine.commit.patch import Patch
from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection, counted
from baton.storage.redis.reader import RedisReader
from baton_events.errors import StoreFullError
from baton_local.redis.link.resp import ServerError
from tests.unit.baton.transport.resp_server import RespServer

FULL = ServerError(b"OOM allow-oom flag is not set on the script,  can not run it when used memory > 'maxmemory'.")
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


async def test_readiness_needs_a_store_that_takes_writes() -> None:
    async with full_store() as (_, redis):
        with pytest.raises(StoreFullError):
            await RedisReader(redis).ping()
