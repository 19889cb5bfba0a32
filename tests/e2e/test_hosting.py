"""`python -m baton.server` as a service: several workers, base path, graceful stops, rolling deploys."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from baton.engine.state import STATE_VERSION
from baton_events.ids import job_of_call, root_of
from tests.e2e.dev_stack import process_is_gone, wait_for
from tests.e2e.fault_client import Submission
from tests.e2e.fault_verdict import check_results, read_starts
from tests.e2e.hosting import BASE_PATH, GRACE_SECONDS, KEY, Hosting, hosting_in
from tests.e2e.newer_version import FIELD, newer_version

pytestmark = pytest.mark.e2e
AGENTS = ("line-3", "fan-5", "fan-shaky", "waits", "delegates", "diamond", "fan-10", "line-shaky")
_QUESTION = 100
HEADERS = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Hosting]:
    with hosting_in(tmp_path) as made:
        yield made


class Load:
    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._http = httpx.Client(base_url=hosting.base_url, headers=HEADERS, timeout=120)
        self.submitted: list[Submission] = []

    def close(self) -> None:
        self._http.close()

    def submit(self, agents: tuple[str, ...] = AGENTS) -> None:
        for agent in agents:
            one = Submission(f"{agent}-{len(self.submitted)}", "acme", agent)
            body = {"jobType": agent, "taskDescription": "do it"}
            answer = self._post(body, one.key)
            assert answer.status_code == 202, answer.text
            self.submitted.append(one)

    def _post(self, body: dict[str, str], key: str) -> httpx.Response:
        """A submission; sent once more, as docs/hosting.md has it, where a stopping worker closed its connection."""
        headers = {"idempotency-key": key}
        try:
            return self._http.post("/api/agent-jobs", headers=headers, json=body)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return self._http.post("/api/agent-jobs", headers=headers, json=body)

    def job(self, one: Submission) -> dict[str, Any]:
        """As it is. An older instance leaves a newer job to the others: then another one is asked, maybe."""
        requests = _QUESTION if len(self._hosting.servers) > 1 else 1
        while True:
            answer = self._http.get(f"/api/agent-jobs/{one.job_id}", headers={"connection": "close"})
            requests -= 1
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or not requests:
                assert answer.status_code == 200, answer.text
                return dict(answer.json())

    def ended(self) -> int:
        return sum(self.job(one)["finishedAt"] is not None for one in self.submitted)

    def check(self) -> None:
        """Each has ended as it should, and no call has run again once its result was recorded."""
        wait_for(lambda: self.ended() == len(self.submitted), "the end of every job", 300)
        check_results(self._hosting.notes_path, {one: self.job(one) for one in self.submitted})


@pytest.mark.long
def test_jobs_run_on_while_workers_are_stopped_one_by_one(hosting: Hosting) -> None:
    server = hosting.serve_and_wait("--workers", "2")
    wait_for(lambda: len(server.workers()) == 2, "two workers")
    before = server.workers()
    with closing(Load(hosting)) as load:
        load.submit()
        for pid in before:
            os.kill(pid, signal.SIGTERM)
            load.submit(("fan-5", "line-3"))
            wait_for(partial(process_is_gone, pid), f"the end of worker {pid}")
            wait_for(lambda: len(server.workers()) == 2, "another worker")
        load.check()
    assert not set(before) & set(server.workers())
    server.stop()


@pytest.mark.long
@pytest.mark.parametrize("raised", [False, True])
@pytest.mark.parametrize("modes", [("queue", "inline"), ("inline", "queue")])
def test_an_older_version_and_a_newer_one_work_on_the_same_jobs(
    tmp_path: Path, modes: tuple[str, str], raised: bool
) -> None:
    """A rolling deploy: first this code, then both, then a newer one alone; each job ends as it should.

    Where a number was raised with the new field, no older instance touches a job of the newer one.
    """
    with hosting_in(tmp_path, base_path="") as hosting, closing(Load(hosting)) as load:
        code, unlimited = newer_version(tmp_path / "newer", raised=raised), {"RATE_LIMIT_PER_MINUTE": "0"}
        old = hosting.serve_and_wait(CONTINUATION=modes[0], **unlimited)
        load.submit()
        new = hosting.serve_and_wait(code=code, CONTINUATION=modes[1], **unlimited)
        for _ in range(3):
            load.submit()
        wait_for(lambda: load.ended() > len(AGENTS), "the end of some jobs while both run")
        old.stop()
        load.submit()
        load.check()
        starts = read_starts(hosting.notes_path)
        assert {start.pid for each in starts.values() for start in each} == {old.process.pid, new.process.pid}
        stored = {one.job_id: hosting.stored_job(one.job_id) for one in load.submitted}
        assert all(FIELD in stored[one.job_id] for one in load.submitted[-len(AGENTS) :])
        newer = {job_id for job_id, job in stored.items() if job["version"] > STATE_VERSION}
        assert bool(newer) == raised
        of_newer = [start for call, each in starts.items() if root_of(job_of_call(call)) in newer for start in each]
        assert {start.pid for start in of_newer} <= {new.process.pid}


def test_a_server_that_stops_finishes_what_it_was_given_and_lets_readers_go(hosting: Hosting) -> None:
    """Its streams and sockets end early, without an end of the job; the call in its hands is made once."""
    server = hosting.serve_and_wait(agents="slow_agents")
    with httpx.Client(base_url=hosting.base_url, headers=HEADERS, timeout=120) as http:
        job_id = hosting.submit("slow", "do it")
        url = f"{hosting.base_url.replace('http', 'ws', 1)}/api/agent/updates?workflowId={job_id}"
        with (
            http.stream("GET", f"/api/agent-jobs/{job_id}/stream") as answer,
            connect(url, additional_headers=HEADERS, proxy=None) as updates,
        ):
            lines = answer.iter_lines()
            next(line for line in lines if line.startswith("data: "))
            assert json.loads(updates.recv())["type"] == "start"
            wait_for(hosting.notes_path.exists, "the first call")
            log = server.stop()
            assert "data: [DONE]" not in list(lines)
            with pytest.raises(ConnectionClosedError):
                list(updates)
        assert "timeout graceful shutdown exceeded" not in log
        hosting.serve_and_wait(agents="slow_agents")
        hosting.completed(job_id)
    assert sorted(hosting.notes_path.read_text().split()) == sorted(map(str, range(6)))


@pytest.mark.parametrize("http", ["httptools", pytest.param("h11", marks=pytest.mark.long)])
def test_half_a_request_does_not_hold_a_stop(hosting: Hosting, http: str) -> None:
    """Nor does an idle connection: the process ends long before its grace is over, and says so to who sends."""
    server = hosting.serve_and_wait("--http", http)
    paths = ("/healthz", "/console/login", "/api/agent-jobs", "/api/chat", "/a2a/nobody", "/api/admin/agent-worker")
    head = f"Host: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    half = [f"POST {BASE_PATH}{path} HTTP/1.1\r\n{head}Content-Length: 100\r\n\r\n{{" for path in paths]
    half += [
        f"POST {BASE_PATH}/api/agent-jobs HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n",
        "",
        head,
    ]
    half += [f"GET {BASE_PATH}/healthz HTTP/1.1\r\n{head}"]
    with contextlib.ExitStack() as stack:
        host, _, port = hosting.origin.removeprefix("http://").partition(":")
        clients = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in half]
        for text, client in zip(half, clients, strict=True):
            client.sendall(text.encode())
        time.sleep(1)
        began = time.monotonic()
        log = server.stop()
        assert time.monotonic() - began < GRACE_SECONDS / 2
        assert "timeout graceful shutdown exceeded" not in log
        assert b" 503 " in clients[2].recv(100)


@pytest.mark.long
def test_it_says_whether_it_lives_and_whether_it_is_ready(hosting: Hosting) -> None:
    """With and without the path below which it is reached, for a proxy may take that away; no key is needed."""
    hosting.serve_and_wait()
    with httpx.Client(base_url=hosting.origin) as http:
        for base in ("", BASE_PATH):
            assert http.get(f"{base}/healthz").json() == {"status": "ok"}
            assert http.get(f"{base}/readyz").json()["status"] == "ready"
        hosting.redis.stop()
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 503
