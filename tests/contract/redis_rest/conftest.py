"""A bridge with a real server behind it, as a process of its own, for every test in this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis, free_of_processes


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    """One server for the whole run: starting one takes most of a second."""
    folder: Path = tmp_path_factory.mktemp("redis")
    with LocalRedis(folder, "--read-only-token", "reader", "--faults") as running:
        yield running
    assert free_of_processes(folder)


@pytest.fixture
def redis(shared_redis: LocalRedis) -> LocalRedis:
    assert shared_redis.command("FLUSHALL") == "OK"
    return shared_redis
