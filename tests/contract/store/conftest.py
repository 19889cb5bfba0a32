"""Both sides of the store's contract as fixtures: each test that takes `side` runs against the fakes and for real."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import Side, fake_side, real_side


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """The local Redis, one for the session."""
    process = RedisProcess(tmp_path_factory.mktemp("redis") / "data")
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
async def real(redis_process: RedisProcess) -> AsyncIterator[Side]:
    """The real side alone."""
    async with real_side(redis_process) as side:
        yield side


@pytest.fixture(params=["fake", "real"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    """Each side in turn."""
    if request.param == "fake":
        yield fake_side()
        return
    async with real_side(request.getfixturevalue("redis_process")) as real:
        yield real
