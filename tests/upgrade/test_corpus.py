"""What earlier versions have stored and sent is finished by this one, with the same results, in whichever mode."""

from pathlib import Path

import pytest

from tests.contract.store.redis_process import RedisProcess
from tests.upgrade.finishing import finished, in_memory, on_redis
from tests.upgrade.make import SITUATIONS
from tests.upgrade.saved import RawRedis, load_keys, read, saved_keys, situations, versions

EVERY = [pytest.param(path, id=f"{version}-{path.stem}") for version in versions() for path in situations(version)]
MODES = ("queue", "inline")


@pytest.mark.parametrize("continuation", [pytest.param("queue", marks=pytest.mark.long), "inline"])
@pytest.mark.parametrize("path", EVERY)
async def test_this_version_finishes_it_in_memory(path: Path, continuation: str) -> None:
    """The twin of the scripts: every job ends as it did, and no tool runs that did not."""
    saved = read(path)
    await finished(in_memory(saved, continuation), saved)


@pytest.mark.long
@pytest.mark.parametrize("continuation", MODES)
@pytest.mark.parametrize("path", EVERY)
async def test_this_version_finishes_it_on_redis(
    path: Path, continuation: str, redis_process: RedisProcess, raw_redis: RawRedis
) -> None:
    """The scripts themselves, which read stored fields by name."""
    saved = read(path)
    await finished(on_redis(saved, continuation, redis_process, raw_redis), saved)


@pytest.mark.long
@pytest.mark.parametrize("path", EVERY)
def test_what_is_loaded_is_what_was_saved(path: Path, raw_redis: RawRedis) -> None:
    """Byte for byte, or a version would be shown what none has written."""
    saved = read(path)
    load_keys(raw_redis, saved.keys)
    assert saved_keys(raw_redis) == saved.keys
    assert saved.text() == path.read_text()


@pytest.mark.parametrize("version", versions())
def test_each_version_was_in_every_situation_that_its_successor_knows(version: str) -> None:
    """A file that is gone proves nothing."""
    assert {path.stem for path in situations(version)} <= set(SITUATIONS)
    newest = version == versions()[-1]
    assert not newest or {path.stem for path in situations(version)} == set(SITUATIONS)
