"""The official async SDK against the bridge: what everything else in the project stands on."""

import hashlib
from collections.abc import AsyncIterator

import pytest
from upstash_redis.asyncio import Redis
from upstash_redis.errors import UpstashError

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis

SCRIPT = "#!lua flags=allow-key-locking\nreturn {redis.call('GET', KEYS[1]), 3.99, true, false, 'OK'}"


@pytest.fixture
async def sdk(redis: LocalRedis) -> AsyncIterator[Redis]:
    """The SDK as it comes, with base64, but without retries of its own."""
    async with Redis(redis.url, TOKEN, rest_retries=0) as client:
        yield client


async def test_what_was_set_is_read(sdk: Redis) -> None:
    """The simplest round trip."""
    assert await sdk.set("k", "ü🙂")
    assert await sdk.get("k") == "ü🙂"
    assert await sdk.get("none") is None


async def test_a_script_with_the_key_locking_flag_runs_by_text_and_by_hash(sdk: Redis) -> None:
    """The flag that stock servers reject is taken out, and the client's SHA1 goes on working."""
    await sdk.set("k", "v")
    expected = ["v", 3, 1, None, "OK"]
    assert await sdk.eval(SCRIPT, keys=["k"]) == expected
    assert await sdk.evalsha(hashlib.sha1(SCRIPT.encode()).hexdigest(), keys=["k"]) == expected


async def test_a_pipeline_and_a_transaction_answer_in_order(sdk: Redis) -> None:
    """Both return one result per command."""
    pipeline = sdk.pipeline()
    pipeline.set("a", 1)
    pipeline.incr("a")
    pipeline.hset("h", values={"x": "1"})
    pipeline.hgetall("h")
    assert await pipeline.exec() == [True, 2, 1, {"x": "1"}]
    transaction = sdk.multi()
    transaction.incr("a")
    transaction.get("a")
    assert await transaction.exec() == [3, "3"]


async def test_a_wrong_token_is_refused(redis: LocalRedis) -> None:
    """The SDK raises the service's own text."""
    async with Redis(redis.url, "wrong", rest_retries=0) as client:
        with pytest.raises(UpstashError, match="WRONGPASS"):
            await client.get("k")
