"""The official async SDK against the bridge: what everything else in the project stands on."""

import hashlib
from collections.abc import AsyncIterator

import pytest
from upstash_redis.asyncio import Redis

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis

SCRIPT = "#!lua flags=allow-key-locking\nreturn {redis.call('GET', KEYS[1]), 3.99, true, false, 'OK'}"


@pytest.fixture
async def sdk(redis: LocalRedis) -> AsyncIterator[Redis]:
    """The SDK as it comes, with base64, but without retries of its own."""
    async with Redis(redis.url, TOKEN, rest_retries=0) as client:
        yield client


async def test_what_was_set_is_read(sdk: Redis) -> None:
    assert await sdk.set("k", "ü🙂")
    assert await sdk.get("k") == "ü🙂"
    assert await sdk.get("none") is None


async def test_a_script_with_the_key_locking_flag_runs_by_text_and_by_hash(sdk: Redis) -> None:
    """The flag that stock servers reject is taken out, and the client's SHA1 goes on working."""
    await sdk.set("k", "v")
    expected = ["v", 3, 1, None, "OK"]
    assert await sdk.eval(SCRIPT, keys=["k"]) == expected
    assert await sdk.evalsha(hashlib.sha1(SCRIPT.encode()).hexdigest(), keys=["k"]) == expected
