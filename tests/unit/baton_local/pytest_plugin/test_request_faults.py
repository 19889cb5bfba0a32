from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from upstash_redis import Redis
from upstash_redis.errors import UpstashError
from upstash_vector import Index
from upstash_vector.errors import UpstashError as VectorError

from baton_local.fixtures.servers import RedisServer, RequestFaults, VectorServer

RECORD = {"id": "a", "data": "text"}


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with Redis.from_env(rest_retry_interval=0) as client:
        yield client


@pytest.fixture
def index(vector_server: VectorServer) -> Iterator[Any]:
    client = Index(vector_server.url, vector_server.token, retry_interval=0)
    yield client
    client._client.close()


def test_a_redis_request_is_lost_refused_or_late_as_planned(
    redis: Redis, redis_faults: RequestFaults, redis_server: RedisServer
) -> None:
    """A command whose answer is lost runs twice; one that is refused does not run."""
    redis_faults.drop_answers(only=["INCR"])
    assert redis.ping() == "PONG"
    assert redis.incr("n") == 2
    redis_faults.refuse(2)
    with pytest.raises(UpstashError, match="fault plan"):
        redis.incr("n")
    redis_faults.clear()
    redis_faults.delay(0.05, 1)
    assert redis.incr("n") == 3
    assert redis_server.call("GET", "/admin/faults")["delay"] == 0


def test_a_redis_that_hangs_answers_nothing_until_that_is_over(
    redis: Redis, redis_faults: RequestFaults, redis_server: RedisServer
) -> None:
    headers = {"authorization": f"Bearer {redis_server.token}"}
    redis_faults.hang()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(redis_server.url, json=["PING"], headers=headers, timeout=0.2)
    redis_faults.clear()
    assert redis.ping() == "PONG"


def test_a_vector_request_is_lost_refused_or_late_as_planned(
    index: Any, vector_faults: RequestFaults, vector_server: VectorServer
) -> None:
    vector_faults.drop_answers(only=["upsert-data"])
    before = vector_server.call("GET", "/admin/counters")["http_requests"]
    assert index.upsert([RECORD]) == "Success"
    assert vector_server.call("GET", "/admin/counters")["http_requests"] == before + 2
    vector_faults.refuse(2)
    with pytest.raises(VectorError, match="fault plan"):
        index.upsert([{**RECORD, "id": "b"}])
    vector_faults.clear()
    vector_faults.delay(0.05, 1)
    assert index.info().vector_count == 1
    assert vector_server.call("GET", "/admin/faults")["delay"] == 0
