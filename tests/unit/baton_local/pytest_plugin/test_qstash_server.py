from pathlib import Path

import pytest

from baton_local.fixtures.servers import QStashServer
from baton_local.fixtures.stand_in_process import StandInFailedError, StandInProcess
from tests.contract.qstash.destination import Destination
from tests.contract.redis_rest.local_redis import free_of_processes

NOWHERE = "http://127.0.0.1:9/"


def test_idle_is_when_everything_was_delivered(qstash_server: QStashServer) -> None:
    with Destination() as destination:
        for _ in range(3):
            qstash_server.call("POST", f"/v2/publish/{destination.url('/hook')}", {})
        qstash_server.wait_until_idle()
        assert len(destination.at("/hook")) == 3
    counters = qstash_server.counters()
    assert (counters["published"], counters["delivered"], counters["unfinished"]) == (3, 3, 0)


def test_messages_that_stay_unfinished_are_reported(qstash_server: QStashServer) -> None:
    """With their number, when waiting for them has lasted long enough."""
    qstash_server.call("POST", f"/v2/publish/{NOWHERE}?upstash-delay=1h", {})
    with pytest.raises(TimeoutError, match=r"1 messages are still unfinished after 0\.05 s"):
        qstash_server.wait_until_idle(limit_seconds=0.05)


def test_a_refused_call_says_what_the_server_answered(qstash_server: QStashServer) -> None:
    with pytest.raises(RuntimeError, match=r"GET /v2/nothing was answered 404: .*does not exist"):
        qstash_server.call("GET", "/v2/nothing")


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
