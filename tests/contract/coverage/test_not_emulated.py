"""What is not emulated says so at once, in words that name it."""

import pytest
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from baton_local.fixtures.servers import QStashServer, RedisServer
from tests.contract.coverage.surface import python_methods, synchronous

JSON_METHODS = sorted(
    method.rpartition(".")[2].upper() for method in python_methods(synchronous()) if " JsonCommands." in method
)


@pytest.mark.parametrize("name", JSON_METHODS)
def test_json_commands_are_unknown(redis_process: RedisServer, name: str) -> None:
    with (
        Redis(redis_process.url, redis_process.token, rest_retries=0) as redis,
        pytest.raises(UpstashError, match=f"unknown command 'JSON.{name}'"),
    ):
        redis.execute([f"JSON.{name}", "k", "$"])


def test_search_and_newer_stream_commands_are_unknown(redis_process: RedisServer) -> None:
    with Redis(redis_process.url, redis_process.token, rest_retries=0) as redis:
        with pytest.raises(UpstashError, match="unknown command"):
            redis.search.index("i").describe()
        with pytest.raises(UpstashError, match="unknown command 'XDELEX'"):
            redis.xdelex("s", "1-0")
        with pytest.raises(UpstashError, match="unknown command 'XACKDEL'"):
            redis.xackdel("s", "g", "1-0")


@pytest.mark.parametrize("operation", ["DIFF", "diff1", "ANDOR", "ONE"])
def test_bit_operations_of_a_newer_redis_say_so(redis_process: RedisServer, operation: str) -> None:
    with (
        Redis(redis_process.url, redis_process.token, rest_retries=0) as redis,
        pytest.raises(UpstashError, match=f"BITOP {operation.upper()} is of Redis 8.2"),
    ):
        redis.execute(["BITOP", operation, "to", "a", "b"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/publish/api/llm", 501),
        ("POST", "/llm/v1/chat/completions", 501),
        ("DELETE", "/v2/workflows/runs/wfr_none", 501),
        ("POST", "/v2/notify/event", 501),
        ("GET", "/v2/waiters/event", 501),
    ],
)
def test_workflow_and_language_models_are_not_served(
    qstash_process: QStashServer, method: str, path: str, status: int
) -> None:
    with pytest.raises(RuntimeError, match=f"was answered {status}"):
        qstash_process.call(method, path, {})
