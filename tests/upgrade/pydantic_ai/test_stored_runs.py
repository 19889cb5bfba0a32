"""Runs that were stored under the lowest and the newest supported pydantic-ai are finished by the installed one."""

from pathlib import Path

import pytest
from packaging.version import Version

from tests.contract.store.redis_process import RedisProcess
from tests.upgrade.finishing import finished, in_memory, on_redis
from tests.upgrade.make import OF_PYDANTIC_AI
from tests.upgrade.pydantic_ai.supported import lowest, newest
from tests.upgrade.saved import CORPUS_OF_PYDANTIC_AI, RawRedis, read, situations, versions

VERSIONS = versions(CORPUS_OF_PYDANTIC_AI)
EVERY = [
    pytest.param(path, id=f"{version}-{path.stem}")
    for version in VERSIONS
    for path in situations(version, CORPUS_OF_PYDANTIC_AI)
]
MODES = pytest.mark.parametrize("continuation", ["queue", "inline"])


@MODES
@pytest.mark.parametrize("path", EVERY)
async def test_a_stored_run_is_finished_in_memory(path: Path, continuation: str) -> None:
    """With the result, the calls and the keys that it would have had."""
    saved = read(path)
    await finished(in_memory(saved, continuation), saved)


@pytest.mark.long
@MODES
@pytest.mark.parametrize("path", EVERY)
async def test_a_stored_run_is_finished_on_redis(
    path: Path, continuation: str, redis_process: RedisProcess, raw_redis: RawRedis
) -> None:
    saved = read(path)
    await finished(on_redis(saved, continuation, redis_process, raw_redis), saved)


def test_there_are_stored_runs_of_both_ends_of_what_is_supported() -> None:
    """In each situation."""
    for version in (lowest(), newest()):
        assert Version(version) in map(Version, VERSIONS), f"python -m tests.upgrade.make --pydantic-ai {version}"
    for version in VERSIONS:
        assert {path.stem for path in situations(version, CORPUS_OF_PYDANTIC_AI)} == set(OF_PYDANTIC_AI)
