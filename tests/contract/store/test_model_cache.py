"""The model cache: the fake and Redis keep and forget the same."""

from collections.abc import AsyncIterator

import pytest

from baton.sdk.memory import ModelCache
from baton.storage.redis.agent_memory import RedisModelCache
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to
from tests.fakes.clock import FakeClock
from tests.fakes.model_cache import FakeModelCache

TEXT = '{"text":"é 😀 \\" : \\n"}'


@pytest.fixture(params=["fake", "rest", pytest.param("resp", marks=pytest.mark.long)])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[ModelCache]:
    """Each side in turn, empty."""
    if request.param == "fake":
        yield FakeModelCache(FakeClock())
        return
    server: RedisProcess = request.getfixturevalue("redis_server")
    process = server.over(request.param)
    process.request("FLUSHALL")
    connection = connection_to(process)
    try:
        yield RedisModelCache(connection)
    finally:
        await connection.close()


async def test_what_is_kept_is_found_as_it_was(cache: ModelCache) -> None:
    """Whatever characters it has."""
    await cache.put("acme", "key", TEXT, 60)
    assert await cache.get("acme", "key") == TEXT


async def test_what_is_not_kept_is_none(cache: ModelCache) -> None:
    """Another key, another tenant, and keys that only look alike."""
    await cache.put("acme", "key", TEXT, 60)
    assert [await cache.get(*name) for name in (("acme", "other"), ("other", "key"), ("", ""))] == [None] * 3


async def test_a_later_text_replaces_the_one_before(cache: ModelCache) -> None:
    """Also its time."""
    await cache.put("acme", "key", "old", 60)
    await cache.put("acme", "key", TEXT, 60)
    assert await cache.get("acme", "key") == TEXT


@pytest.mark.bridge
async def test_redis_forgets_it_by_itself_and_is_asked_once_for_each(redis_process: RedisProcess) -> None:
    """One request and one command to look, one to keep; the expiry comes with the text."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        cache = RedisModelCache(connection)
        before = redis_process.counted()
        await cache.get("acme", "key")
        await cache.put("acme", "key", TEXT, 60)
        spent = redis_process.counted().since(before)
    finally:
        await connection.close()
    assert (spent.requests, spent.commands) == (2, 2)
    [key] = redis_process.request("KEYS", "*")
    assert 55 <= redis_process.request("TTL", key) <= 60


async def test_the_fake_forgets_by_its_clock() -> None:
    """To the millisecond; the server's own clock does it for the real one."""
    clock = FakeClock()
    cache = FakeModelCache(clock)
    await cache.put("acme", "key", TEXT, 1)
    clock.ms += 999
    assert await cache.get("acme", "key") == TEXT
    clock.ms += 1
    assert await cache.get("acme", "key") is None
