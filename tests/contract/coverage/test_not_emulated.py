"""What is not emulated says so at once, in words that name it."""

from collections.abc import Iterator

import pytest
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.contract.coverage.surface import python_methods, synchronous

JSON_METHODS = sorted(
    method.rpartition(".")[2].upper() for method in python_methods(synchronous()) if " JsonCommands." in method
)


@pytest.fixture
def redis(redis_process: RedisServer) -> Iterator[Redis]:
    with Redis(redis_process.url, redis_process.token, rest_retries=0) as client:
        yield client


@pytest.mark.parametrize("name", JSON_METHODS)
def test_json_commands_are_unknown(redis: Redis, name: str) -> None:
    """As on a plain server."""
    with pytest.raises(UpstashError, match=f"unknown command 'JSON.{name}'"):
        redis.execute([f"JSON.{name}", "k", "$"])


def test_search_and_newer_stream_commands_are_unknown(redis: Redis) -> None:
    with pytest.raises(UpstashError, match="unknown command"):
        redis.search.index("i").describe()
    with pytest.raises(UpstashError, match="unknown command 'XDELEX'"):
        redis.xdelex("s", "1-0")
    with pytest.raises(UpstashError, match="unknown command 'XACKDEL'"):
        redis.xackdel("s", "g", "1-0")


@pytest.mark.parametrize("operation", ["DIFF", "diff1", "ANDOR", "ONE"])
def test_bit_operations_of_a_newer_redis_say_so(redis: Redis, operation: str) -> None:
    """The server's own words are "syntax error"."""
    with pytest.raises(UpstashError, match=f"BITOP {operation.upper()} is of Redis 8.2"):
        redis.execute(["BITOP", operation, "to", "a", "b"])


@pytest.mark.parametrize(
    "call",
    [
        *("POST /v2/publish/api/llm", "POST /llm/v1/chat/completions", "DELETE /v2/workflows/runs/wfr_none"),
        *("POST /v2/notify/event", "GET /v2/waiters/event"),
    ],
)
def test_workflow_and_language_models_are_not_served(qstash_process: QStashServer, call: str) -> None:
    """501, also where the vendor's model is a destination."""
    method, path = call.split()
    with pytest.raises(RuntimeError, match="was answered 501"):
        qstash_process.call(method, path, {})
