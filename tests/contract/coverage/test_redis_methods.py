"""Every command method of the Python SDK's Redis clients: a success and an error."""

from collections.abc import Iterator

import pytest
from upstash_redis.errors import UpstashError

from baton_local.fixtures.servers import RedisServer
from tests.contract.coverage.method_case import MethodCase
from tests.contract.coverage.redis_cases.families import CASES
from tests.contract.coverage.redis_clients import ALONE, BATCHED, RedisClients

FOUND_BY_ALL = [["SET", "text", "text"], ["RPUSH", "list", "element"]]


@pytest.fixture(scope="module")
def clients(redis_process: RedisServer) -> Iterator[RedisClients]:
    made = RedisClients(redis_process, redis_process.token)
    yield made
    made.close()


@pytest.fixture(scope="module")
def strangers(redis_process: RedisServer) -> Iterator[RedisClients]:
    made = RedisClients(redis_process, "wrong")
    yield made
    made.close()


def prepare(server: RedisServer, case: MethodCase) -> None:
    for answer in server.call("POST", "/pipeline", [["FLUSHALL"], *FOUND_BY_ALL, *case.commands()]):
        assert "error" not in answer, answer


@pytest.mark.parametrize("kind", [*ALONE, *BATCHED])
@pytest.mark.parametrize("name", CASES)
def test_it_succeeds(redis_process: RedisServer, clients: RedisClients, name: str, kind: str) -> None:
    case = CASES[name]
    prepare(redis_process, case)
    result = clients.run(kind, name, case.call)
    assert case.accepts(result), f"{result!r} instead of {case.gives!r}"


@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize("name", CASES)
def test_it_reports_errors(
    redis_process: RedisServer, clients: RedisClients, strangers: RedisClients, name: str, kind: str
) -> None:
    """With the server's own text; a method that no argument can make fail is called with a wrong token."""
    case = CASES[name]
    prepare(redis_process, case)
    if case.fails is None:
        with pytest.raises(UpstashError, match="WRONGPASS"):
            strangers.run(kind, name, case.call)
    else:
        with pytest.raises(UpstashError, match=case.error):
            clients.run(kind, name, case.fails)
