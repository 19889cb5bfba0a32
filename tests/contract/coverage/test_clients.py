"""What the Python SDKs' clients have beside commands: how they are made, ended, batched, chained."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from upstash_redis.errors import UpstashError
from upstash_vector.errors import UpstashError as VectorError

from baton_local.fixtures.servers import RedisServer, VectorServer
from tests.contract.coverage.either import Either, EitherIndex, EitherRedis


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[Any]:
    made = EitherRedis(request.param, redis_server.url, redis_server.token)
    yield made
    await made.close()


async def test_a_redis_client_is_made_of_the_environment(client: EitherRedis, redis_server: RedisServer) -> None:
    """By the variables that the server prints."""
    made = Either(type(client.real).from_env(rest_retries=0))
    assert await made.set("k", "v")
    assert await made.get("k") == "v"
    await made.close()
    stranger = Either(type(client.real)(redis_server.url, "wrong", rest_retries=0))
    with pytest.raises(UpstashError, match="WRONGPASS"):
        await stranger.get("k")
    await stranger.close()


async def test_a_closed_redis_client_sends_nothing(client: EitherRedis) -> None:
    assert await client.ping() == "PONG"
    await client.close()
    with pytest.raises(RuntimeError):
        await client.ping()


async def test_a_pipeline_is_one_request_and_forgets_what_is_reset(
    client: EitherRedis, redis_server: RedisServer
) -> None:
    """An error is raised after all of it ran; an empty batch is refused."""
    requests = redis_server.counters()["http_requests"]
    assert await Either(client.real.pipeline().set("k", "v").incr("n")).exec() == [True, 1]
    assert redis_server.counters()["http_requests"] == requests + 1
    with pytest.raises(UpstashError, match="WRONGTYPE"):
        await Either(client.real.pipeline().lpush("k", "x").incr("n")).exec()
    batch = client.real.pipeline().incr("n")
    batch.reset()
    with pytest.raises((UpstashError, AttributeError)):
        await Either(batch).exec()
    assert await client.get("n") == "2"


async def test_a_transaction_runs_all_or_nothing(client: EitherRedis) -> None:
    """At queueing; the SDK trips over the refusal (redis-rest.md 7)."""
    assert await Either(client.real.multi().incr("n").incr("n")).exec() == [1, 2]
    with pytest.raises(AttributeError):
        await Either(client.real.multi().incr("n").execute(["BLPOP", "l", "0"])).exec()
    assert await client.get("n") == "2"


async def test_bit_fields_are_chains_on_one_key(client: EitherRedis) -> None:
    chain = client.real.bitfield("b").set("u8", 0, 200).incrby("u8", 0, 50).overflow("SAT").incrby("u8", 0, 50)
    assert await Either(chain.get("u8", "#0")).execute() == [0, 250, 255, 255]
    await client.set("b", "a")
    assert await Either(client.real.bitfield_ro("b").get("u8", 0)).execute() == [97]
    with pytest.raises(UpstashError, match="bit offset"):
        await Either(client.real.bitfield("b").get("u8", -1)).execute()
    await client.lpush("list", "x")
    with pytest.raises(UpstashError, match="WRONGTYPE"):
        await Either(client.real.bitfield_ro("list").get("u8", 0)).execute()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_index_is_made_of_the_environment(vector_server: VectorServer, kind: str) -> None:
    index = EitherIndex(kind, vector_server.url, "wrong")
    with pytest.raises(VectorError, match="Unauthorized"):
        await index.info()
    await index.close()
    index.real = type(index.real).from_env()
    assert (await index.info()).vector_count == 0
    await index.close()
