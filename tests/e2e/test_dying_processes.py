"""Processes that die or stop in the middle of their work: how often that starts, and how soon it goes on."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_stack import wait_for
from tests.e2e.hosting import Hosting, Server, hosting_in

pytestmark = pytest.mark.e2e
# The queue's delay by default. A crash costs 15 s at most; starting a process takes some on a busy machine.
USUAL_RETRY_MS = "10000"
SOON_SECONDS = 30.0


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Hosting]:
    with hosting_in(tmp_path) as made:
        made.notes_path.touch()
        yield made


def serve(hosting: Hosting, retry_delay_ms: str = "300") -> Server:
    return hosting.serve_and_wait(agents="deadly_agents", MESSAGE_RETRY_DELAY_MS=retry_delay_ms)


def kill(server: Server) -> None:
    server.process.kill()
    server.process.wait()


def starts(hosting: Hosting, name: str) -> int:
    return hosting.notes_path.read_text().splitlines().count(name)


@pytest.mark.long
def test_a_call_that_kills_its_process_fails_and_nobody_else_does(hosting: Hosting) -> None:
    """It starts twice: the first time another one may have been to blame. What ran beside it ends as it should."""
    servers = [serve(hosting)]
    job_id, until = hosting.submit("deadly", "do it"), time.monotonic() + 150
    while starts(hosting, "explode") < 2 or servers[-1].process.poll() is not None:
        assert time.monotonic() < until, "the call was not started again"
        if servers[-1].process.poll() is not None:
            servers.append(serve(hosting))
        time.sleep(0.1)
    while servers[-1].process.poll() is None:
        time.sleep(0.1)
    serve(hosting)
    job = hosting.completed(job_id, 90)
    assert job["result"] == {"answer": "went on"}
    assert starts(hosting, "explode") == 2
    assert starts(hosting, "beside") <= 2


@pytest.mark.long
@pytest.mark.parametrize("work", ["turn", "long"])
def test_what_a_kill_cut_off_goes_on_soon(hosting: Hosting, work: str) -> None:
    """However long it may take: the time limits are 120 s for a turn, and 90 s for a call."""
    first = serve(hosting, USUAL_RETRY_MS)
    job_id = hosting.submit(work, "do it")
    wait_for(lambda: starts(hosting, work) == 1, "the first start", 30)
    kill(first)
    killed_at = time.monotonic()
    serve(hosting, USUAL_RETRY_MS)
    wait_for(lambda: starts(hosting, work) == 2, "the second start", 60)
    assert time.monotonic() - killed_at < SOON_SECONDS
    hosting.completed(job_id, 30)


@pytest.mark.long
def test_a_call_in_the_background_and_what_continues_with_it_outlive_their_processes(hosting: Hosting) -> None:
    """The call's process is killed, then the one that answers its outcome: it is answered once."""
    first = serve(hosting)
    job = hosting.job(hosting.submit("digging", "do it"))
    wait_for(lambda: starts(hosting, "drill") == 1, "the first start", 30)
    wait_for(lambda: hosting.job(job["id"])["result"] == {"answer": "begun"}, "the end of the first turn", 30)
    kill(first)
    second = serve(hosting)
    wait_for(lambda: second.process.poll() is not None, "the death with the outcome", 90)
    serve(hosting)

    def session() -> dict[str, Any]:
        return dict(hosting.request("GET", f"/api/sessions/{job['sessionId']}"))

    def answer() -> str:
        return str(session()["messages"][-1]["parts"][-1].get("text"))

    wait_for(lambda: answer().endswith('Its result: "through"]'), "the answer", 90)
    listed = hosting.request("GET", f"/api/agent-jobs?sessionId={job['sessionId']}")["jobs"]
    assert [one["continues"]["jobId"] for one in listed if "continues" in one] == [job["id"]]
    assert (starts(hosting, "drill"), starts(hosting, "outcome"), session()["activeOperations"]) == (2, 2, [])


def test_what_a_stop_broke_off_goes_on_at_once(hosting: Hosting) -> None:
    """As soon as the server cuts it off: neither the claim's end nor the queue's delay is waited for."""
    first = serve(hosting, USUAL_RETRY_MS)
    job_id = hosting.submit("long", "do it")
    wait_for(lambda: starts(hosting, "long") == 1, "the first start", 30)
    serve(hosting, USUAL_RETRY_MS)
    log = first.stop()
    stopped_at = time.monotonic()
    assert "timeout graceful shutdown exceeded" in log
    wait_for(lambda: starts(hosting, "long") == 2, "the second start", 30)
    assert time.monotonic() - stopped_at < 5
    hosting.completed(job_id, 30)
