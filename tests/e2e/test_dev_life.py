"""The life of `baton dev`: start, restart of parts, stop, kill."""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, baton, process_is_gone, wait_for

pytestmark = pytest.mark.e2e

PARTS = {"app", "qstash", "redis", "redis_rest", "vector"}


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def assert_all_gone(pids: list[int]) -> None:
    for pid in pids:
        wait_for(partial(process_is_gone, pid), f"the end of process {pid}", 60.0)


def test_everything_serves_when_dev_json_is_there(dev_stack: DevStack) -> None:
    described = dev_stack.reload()
    assert set(described["processes"]) == PARTS
    assert status_of(f"{described['app_url']}/healthz") == 200
    assert status_of(f"{described['qstash_url']}/readyz") == 200
    assert status_of(f"{described['redis_url']}/readyz") == 200
    assert status_of(f"{described['vector_url']}/readyz") == 200
    assert (dev_stack.folder / "dev.json").stat().st_mode & 0o777 == 0o600


def test_addresses_keys_and_what_to_try_are_printed(dev_stack: DevStack) -> None:
    wait_for(lambda: "Ready." in dev_stack.output_path.read_text(), "the ready text")
    shown = dev_stack.output_path.read_text()
    described = dev_stack.reload()
    for name in ("app_url", "qstash_url", "redis_url", "vector_url", "client_key", "admin_key"):
        assert described[name] in shown


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_killed_part_comes_back_and_is_described_anew(dev_stack: DevStack, name: str) -> None:
    before = dev_stack.reload()["processes"]
    dev_stack.wait_until_back(name, dev_stack.kill(name))
    after = dev_stack.reload()["processes"]
    assert {**after, name: 0} == {**before, name: 0}
    assert f"{name} | ended by itself (signal 9, SIGKILL)" in dev_stack.output_path.read_text()
    wait_for(lambda: status_of(f"{dev_stack.described['app_url']}/readyz") == 200, "the app's readiness")


def test_a_second_dev_on_the_folder_is_refused_with_the_way_out(dev_stack: DevStack) -> None:
    assert dev_stack.process is not None
    done = subprocess.run(
        baton("dev", "--data", str(dev_stack.folder), "--port", "0"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"(pid {dev_stack.process.pid}, described in {dev_stack.folder / 'dev.json'})" in done.stderr
    assert "Traceback" not in done.stderr
    assert (dev_stack.folder / "dev.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_nothing(new_stack: Callable[..., DevStack], number: signal.Signals) -> None:
    stack = new_stack().start()
    assert stack.stop(number) == 0
    assert_all_gone(stack.process_ids())
    assert not (stack.folder / "dev.json").exists()


def test_a_supervisor_killed_with_9_takes_its_parts_along(new_stack: Callable[..., DevStack]) -> None:
    """And the next start on the folder has the same keys and ports."""
    stack = new_stack().start()
    first = stack.described
    assert stack.process is not None
    stack.process.kill()
    stack.process.wait()
    assert_all_gone(stack.process_ids())
    again = new_stack(stack.folder).start()
    assert {**again.described, "processes": 0} == {**first, "processes": 0}


def test_a_requested_port_that_is_taken_is_refused(new_stack: Callable[..., DevStack]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stack = new_stack(arguments=("--port", str(port)))
        assert stack.launch().wait(PATIENCE_SECONDS) == 1
    assert f"port {port} is taken" in stack.output_path.read_text()


@pytest.mark.long
def test_the_app_never_leaves_its_old_port_silently(new_stack: Callable[..., DevStack]) -> None:
    """Messages that wait carry it."""
    stack = new_stack().start()
    port = int(stack.described["app_url"].rpartition(":")[2])
    stack.stop()
    with socket.create_server(("127.0.0.1", port)):
        again = new_stack(stack.folder)
        assert again.launch().wait(PATIENCE_SECONDS) == 1
    assert f"port {port} is taken, and jobs that wait" in again.output_path.read_text()


def test_agents_that_cannot_be_loaded_end_the_stack_with_the_reason(new_stack: Callable[..., DevStack]) -> None:
    stack = new_stack(arguments=("--port", "0", "--app", "nowhere:registry"))
    assert stack.launch().wait(PATIENCE_SECONDS) == 1
    assert "there is no module 'nowhere'" in stack.output_path.read_text()
    assert not (stack.folder / "dev.json").exists()


@pytest.mark.long
def test_a_second_ctrl_c_does_not_wait(new_stack: Callable[..., DevStack]) -> None:
    """A part that does not end is killed at once."""
    stack = new_stack().start()
    assert stack.process is not None
    os.kill(stack.described["processes"]["app"], signal.SIGSTOP)  # deaf to the request to end
    stack.process.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping" in stack.output_path.read_text(), "the first notice")
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(PATIENCE_SECONDS) == 1
    assert_all_gone(stack.process_ids())


@pytest.mark.long
def test_a_made_key_is_accepted_by_the_next_start(new_stack: Callable[..., DevStack], tmp_path: Path) -> None:
    """`baton keys create --data`, its last line alone."""
    folder = tmp_path / "with-key"
    command = baton("keys", "create", "--tenant", "acme", "--role", "client", "--data", str(folder))
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    stack = new_stack(folder).start()
    request = urllib.request.Request(
        f"{stack.described['app_url']}/api/agent-jobs/unknown", headers={"Authorization": f"Bearer {key}"}
    )
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)
    assert refusal.value.code == 404  # known to the door, the job is not
    refusal.value.close()
