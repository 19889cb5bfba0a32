"""Rate limits on a real Redis: shared by all processes, cheap, and forgotten by themselves."""

from collections.abc import AsyncIterator

import pytest

from baton.clock import SystemClock
from baton.settings.settings import Settings
from baton.storage.redis.access import RedisRateLimit
from baton.storage.redis.connection import RedisConnection
from baton_events.errors import StoreError
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to

PER_MINUTE = 6  # a token each 10 s: none comes while a test runs


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[RedisConnection]:
    """To an emptied server."""
    redis_process.request("FLUSHALL")
    made = connection_to(redis_process)
    try:
        yield made
    finally:
        await made.close()


async def test_all_processes_share_one_bucket_for_each_name(connection: RedisConnection) -> None:
    """As many at once as in a minute, then there is a time to wait; another name has a bucket of its own."""
    one, other = (RedisRateLimit(connection, SystemClock(), PER_MINUTE) for _ in range(2))
    assert [await limit.wait_seconds("a") for limit in (one, other) * 3] == [0] * PER_MINUTE
    assert 0 < await one.wait_seconds("a") <= 10
    assert 0 < await other.wait_seconds("a") <= 10
    assert await one.wait_seconds("b") == 0


@pytest.mark.bridge
async def test_a_token_costs_one_request_and_who_has_to_wait_costs_none(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    """Four commands: the script, one read, two writes; the bucket expires."""
    limit = RedisRateLimit(connection, SystemClock(), 1)
    before = redis_process.counted()
    assert await limit.wait_seconds("a") == 0
    first = redis_process.counted().since(before)
    assert (first.requests, first.commands) == (1, 4)
    assert await limit.wait_seconds("a") > 0
    before = redis_process.counted()
    assert await limit.wait_seconds("a") > 0
    assert redis_process.counted().since(before).requests == 0
    assert redis_process.request("KEYS", "*") == ["baton:rate:a"]
    assert 0 < redis_process.request("TTL", "baton:rate:a") <= 60


async def test_a_store_that_does_not_answer_is_a_store_error() -> None:
    """Whoever asks decides what that means."""
    connection = RedisConnection(Settings(redis_url="http://127.0.0.1:9", redis_token="x"))
    try:
        with pytest.raises(StoreError):
            await RedisRateLimit(connection, SystemClock(), 1).wait_seconds("a")
    finally:
        await connection.close()
