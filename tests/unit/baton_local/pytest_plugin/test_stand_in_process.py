from pathlib import Path

import pytest

from baton_local.fixtures.stand_in_process import StandInFailedError, StandInProcess
from tests.contract.redis_rest.local_redis import free_of_processes


def test_it_serves_from_start_to_stop(tmp_path: Path) -> None:
    """Its address and what it exports are known; a second stop does nothing."""
    process = StandInProcess("baton_local.qstash", tmp_path, "QSTASH_NEXT_SIGNING_KEY", ["--no-sync"])
    process.start()
    assert process.exports["QSTASH_URL"] == process.url
    assert set(process.exports) == {
        "QSTASH_URL",
        "QSTASH_TOKEN",
        "QSTASH_CURRENT_SIGNING_KEY",
        "QSTASH_NEXT_SIGNING_KEY",
    }
    process.stop()
    process.stop()
    assert free_of_processes(tmp_path)


def test_a_start_that_fails_shows_the_output(tmp_path: Path) -> None:
    process = StandInProcess("baton_local.redis", tmp_path, "UPSTASH_REDIS_REST_TOKEN", ["--port", "none"])
    with pytest.raises(StandInFailedError, match=r"(?s)baton_local\.redis .*exit code 2 .*--port.*invalid int"):
        process.start()
    assert free_of_processes(tmp_path)
