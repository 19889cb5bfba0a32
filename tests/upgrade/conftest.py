"""The local Redis, one for the session."""

from collections.abc import Iterator

import pytest

from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.upgrade.saved import RawRedis


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("redis") / "data")
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="session")
def raw_redis(redis_process: RedisProcess) -> Iterator[RawRedis]:
    redis = RawRedis(redis_process.url, TOKEN)
    yield redis
    redis.close()
