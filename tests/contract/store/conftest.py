"""The store's contract as fixtures: tests that take `side` or `redis` run in this process, over REST and over RESP."""

from collections.abc import AsyncIterator, Iterator

import pytest

from baton.store.redis.connection import RedisConnection
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess, Transport
from tests.contract.store.side import Side, connected, in_process, real_side, side_over

# Whose tests run over RESP in the quick set, too: where answers have shapes of their own, transports could differ, and
# the scripts of a job run. All others do so among the long ones.
OVER_RESP = ("test_commit", "test_listing", "test_operation_stream", "test_connection")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that reaches the server does so over REST and over RESP."""
    module = metafunc.definition.path.stem
    resp = pytest.param("resp", marks=() if module in OVER_RESP else pytest.mark.long)
    over = ["rest"] if metafunc.definition.get_closest_marker("bridge") else ["rest", resp]
    if "transport" in metafunc.fixturenames:
        metafunc.parametrize("transport", over, indirect=True, scope="session")
    if "anywhere" in metafunc.fixturenames:
        servers = [pytest.param(each, marks=pytest.mark.long) for each in over if isinstance(each, str)]
        metafunc.parametrize("anywhere", ["in-process", *servers, *over[1:]], indirect=True, scope="session")
    for each in {"side", "redis"} & {*metafunc.fixturenames}:
        metafunc.parametrize(each, ["in-process", *over], indirect=True)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("redis") / "data")
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
async def real(redis_process: RedisProcess) -> AsyncIterator[Side]:
    async with real_side(redis_process) as side:
        yield side


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[RedisConnection]:
    """To the emptied server."""
    async with connected(redis_process, OneSlot) as made:
        yield made


@pytest.fixture
async def redis(request: pytest.FixtureRequest, redis_server: RedisProcess) -> AsyncIterator[RedisConnection]:
    """To an empty server, in this process and as a process."""
    if request.param == "in-process":
        yield in_process()
        return
    async with connected(redis_server.over(request.param), OneSlot) as made:
        yield made


@pytest.fixture(scope="session")
def transport(request: pytest.FixtureRequest) -> Transport:
    made: Transport = request.param
    return made


@pytest.fixture(scope="session")
def redis_process(redis_server: RedisProcess, transport: Transport) -> RedisProcess:
    return redis_server.over(transport)


@pytest.fixture(scope="session")
def anywhere(request: pytest.FixtureRequest) -> RedisProcess | None:
    """A server; None: one in this process, which the quick set takes."""
    if request.param == "in-process":
        return None
    server: RedisProcess = request.getfixturevalue("redis_server")
    return server.over(request.param)


@pytest.fixture
async def side(request: pytest.FixtureRequest, redis_server: RedisProcess) -> AsyncIterator[Side]:
    if request.param == "in-process":
        yield side_over(in_process())
        return
    async with real_side(redis_server.over(request.param)) as real:
        yield real
