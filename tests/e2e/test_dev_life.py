"""The life of `baton dev`: start, a job, restart of parts, stop, kill."""

import json
import os
import signal
import socket
from functools import partial

import httpx
import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, StackMaker, process_is_gone, run_baton, wait_for

pytestmark = pytest.mark.e2e

PARTS = {"app", "qstash", "redis", "redis_rest", "vector"}


def status_of(url: str) -> int:
    return httpx.get(url, timeout=PATIENCE_SECONDS).status_code


def assert_all_gone(stack: DevStack) -> None:
    for pid in stack.process_ids():
        wait_for(partial(process_is_gone, pid), f"the end of process {pid}", 60.0)


def test_everything_serves_and_is_shown_when_dev_json_is_there(stack: DevStack) -> None:
    """And the file is for its owner only."""
    described = stack.reload()
    assert set(described["processes"]) == PARTS
    assert status_of(f"{described['app_url']}/healthz") == 200
    for name in ("qstash_url", "redis_url", "vector_url"):
        assert status_of(f"{described[name]}/readyz") == 200
    assert (stack.folder / "dev.json").stat().st_mode & 0o777 == 0o600
    wait_for(lambda: "Ready." in stack.output, "the ready text")
    for name in ("app_url", "qstash_url", "redis_url", "vector_url", "client_key", "admin_key"):
        assert described[name] in stack.output


def test_a_job_submitted_over_http_completes(stack: DevStack) -> None:
    """With an answer that names its sources; `POST /test/simple` is open on the local stack."""
    ended = stack.completed(stack.submit("research", "How did the Fresnel lens change lighthouses?"))
    assert "[fresnel-lens.md]" in ended["result"]["answer"]
    assert {each["status"] for each in ended["toolCalls"]} == {"completed"}
    assert httpx.post(f"{stack.described['app_url']}/test/simple", timeout=PATIENCE_SECONDS).is_success


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_killed_part_comes_back_and_is_described_anew(stack: DevStack, name: str) -> None:
    """With a new process; the others keep theirs."""
    before = stack.reload()["processes"]
    stack.wait_until_back(name, stack.kill(name))
    after = stack.reload()["processes"]
    assert {**after, name: 0} == {**before, name: 0}
    assert f"{name} | ended by itself (signal 9, SIGKILL)" in stack.output
    wait_for(lambda: status_of(f"{stack.described['app_url']}/readyz") == 200, "the app's readiness")


def test_a_second_dev_on_the_folder_is_refused_with_the_way_out(stack: DevStack) -> None:
    """It names the pid and the description, and harms nothing."""
    assert stack.process is not None
    done = run_baton("dev", "--data", str(stack.folder), "--port", "0")
    assert done.returncode == 1
    assert f"(pid {stack.process.pid}, described in {stack.folder / 'dev.json'})" in done.stderr
    assert "Traceback" not in done.stderr
    assert (stack.folder / "dev.json").exists()


@pytest.mark.long
def test_whatever_ends_it_leaves_no_process_and_the_next_start_has_the_same_keys_and_ports(
    new_stack: StackMaker,
) -> None:
    """Ctrl-C, kill -9 of the supervisor, which takes its parts along, and a request to end."""
    stack, first = new_stack(), dict[str, object]()
    for number, code in ((signal.SIGINT, 0), (signal.SIGKILL, -9), (signal.SIGTERM, 0)):
        described = {**stack.start().described, "processes": 0}
        first = first or described
        assert described == first
        assert stack.process is not None
        stack.process.send_signal(number)
        assert stack.process.wait(PATIENCE_SECONDS) == code
        assert_all_gone(stack)
        assert (stack.folder / "dev.json").exists() == bool(code)


def test_a_requested_port_that_is_taken_is_refused(new_stack: StackMaker) -> None:
    """With the way out, and before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stack = new_stack()
        stack.arguments = ("--port", str(port))
        assert stack.launch().wait(PATIENCE_SECONDS) == 1
    assert f"port {port} is taken" in stack.output


def test_agents_that_cannot_be_loaded_end_the_stack_with_the_reason(new_stack: StackMaker) -> None:
    stack = new_stack("nowhere")
    assert stack.launch().wait(PATIENCE_SECONDS) == 1
    assert "there is no module 'tests.e2e.nowhere'" in stack.output
    assert not (stack.folder / "dev.json").exists()


@pytest.mark.long
def test_a_second_ctrl_c_does_not_wait(new_stack: StackMaker) -> None:
    """A part that does not end is killed at once."""
    stack = new_stack().start()
    assert stack.process is not None
    os.kill(stack.described["processes"]["app"], signal.SIGSTOP)  # deaf to the request to end
    stack.process.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping" in stack.output, "the first notice")
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(PATIENCE_SECONDS) == 1
    assert_all_gone(stack)


def test_two_processes_of_the_app_share_its_work_and_one_that_dies_loses_nothing(new_stack: StackMaker) -> None:
    """It comes back while the other one serves; a request to end ends both."""
    stack = new_stack("fault_agents", WEB_CONCURRENCY="2").start()
    wait_for(lambda: "app-2" in stack.reload()["processes"], "the second process")
    jobs: list[str] = []

    def both_work() -> bool:
        jobs.append(stack.submit("fan-5", "Share it."))
        stack.completed(jobs[-1])
        ids = {stack.reload()["processes"].get(name) for name in ("app", "app-2")}
        return ids <= {json.loads(line)["pid"] for line in stack.noted()}

    wait_for(both_work, "work of both")
    for name in ("app-2", "app"):
        jobs += [stack.submit("line-3", f"Before {name} is gone.") for _ in range(3)]
        stack.wait_until_back(name, stack.kill(name))
    for job in jobs:
        stack.completed(job)
    wait_for(both_work, "work of both again")
    assert stack.stop() == 0
    assert_all_gone(stack)
