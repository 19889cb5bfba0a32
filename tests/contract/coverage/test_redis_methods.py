"""Every command method of the Python SDK's Redis clients: a success and an error."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.errors import UpstashError

from baton_local.fixtures.servers import RedisServer
from tests.contract.coverage.method_case import Arguments, MethodCase
from tests.contract.coverage.redis_cases.families import CASES

FOUND_BY_ALL = [["SET", "text", "text"], ["RPUSH", "list", "element"]]


class Clients:
    """The SDK's ways to run a command; kept for a whole module, since making one costs more than a test."""

    def __init__(self, server: RedisServer, token: str) -> None:
        self._runner = asyncio.Runner()
        self._sync: Any = Redis(server.url, token, rest_retries=0)
        self._async: Any = AsyncRedis(server.url, token, rest_retries=0)

    def run(self, kind: str, name: str, given: Arguments) -> Any:
        async def settle() -> Any:
            return await given(getattr(self._async, name))

        if kind == "sync":
            return given(getattr(self._sync, name))
        if kind == "async":
            return self._runner.run(settle())
        batch = self._sync.pipeline() if kind == "pipeline" else self._sync.multi()
        given(getattr(batch, name))
        return batch.exec()[0]

    def close(self) -> None:
        self._sync.close()
        self._runner.run(self._async.close())
        self._runner.close()


@pytest.fixture(scope="module")
def clients(redis_process: RedisServer) -> Iterator[Clients]:
    made = Clients(redis_process, redis_process.token)
    yield made
    made.close()


@pytest.fixture(scope="module")
def strangers(redis_process: RedisServer) -> Iterator[Clients]:
    made = Clients(redis_process, "wrong")
    yield made
    made.close()


def prepare(server: RedisServer, case: MethodCase) -> None:
    for answer in server.call("POST", "/pipeline", [["FLUSHALL"], *FOUND_BY_ALL, *case.commands()]):
        assert "error" not in answer, answer


@pytest.mark.parametrize("name", CASES)
def test_it_succeeds_and_reports_errors(
    redis_process: RedisServer, clients: Clients, strangers: Clients, name: str
) -> None:
    """With the result that the service documents, in the SDK's own shape; and with the server's own text.

    A method that no argument can make fail is called with a wrong token.
    """
    case = CASES[name]
    for kind in ("sync", "async", "pipeline", "transaction"):
        prepare(redis_process, case)
        result = clients.run(kind, name, case.call)
        assert case.accepts(result), f"{kind}: {result!r} instead of {case.gives!r}"
    asked, given, error = (
        (strangers, case.call, "WRONGPASS") if case.fails is None else (clients, case.fails, case.error)
    )
    for kind in ("sync", "async"):
        prepare(redis_process, case)
        with pytest.raises(UpstashError, match=error):
            asked.run(kind, name, given)
