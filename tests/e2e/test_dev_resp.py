"""`baton dev --store resp`: the app talks to its server without the REST bridge."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, baton, wait_for
from tests.e2e.test_dev_jobs import ended_job, submit

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def resp_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A stack that the person's own store settings do not concern."""
    folder = tmp_path_factory.mktemp("resp") / "dev"
    environment = {
        "REDIS_URL": "redis://:swordfish@store.example.com",
        "UPSTASH_REDIS_REST_URL": "https://x.example.com",
    }
    stack = DevStack(folder, environment, ("--port", "0", "--store", "resp"))
    try:
        yield stack.start()
    finally:
        stack.stop()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)  # noqa: TID251 - to inherit it
    return subprocess.run(
        baton(*arguments), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, env=environment
    )


def test_a_job_runs_without_the_bridge(resp_stack: DevStack) -> None:
    ended = ended_job(resp_stack, submit(resp_stack, "research", "How did sailors tell one lighthouse from another?"))
    assert ended["status"] == "completed", ended
    assert set(resp_stack.reload()["processes"]) == {"app", "qstash", "redis", "vector"}


def test_all_say_what_they_are_connected_to(resp_stack: DevStack) -> None:
    """The screen, dev.json, `/readyz`, and the doctor; the person's own password nowhere."""
    described = resp_stack.reload()
    assert described["store_url"].startswith("unix:///")
    assert (described["redis_url"], described["redis_token"]) == ("", "")
    wait_for(lambda: "Ready." in resp_stack.output_path.read_text(), "the ready text")
    shown = resp_stack.output_path.read_text()
    assert f"{described['store_url']} (RESP)" in shown
    with urllib.request.urlopen(f"{described['app_url']}/readyz", timeout=PATIENCE_SECONDS) as answer:
        assert json.load(answer) == {"status": "ready", "store": "RESP"}
    doctor = command("doctor", "--data", str(resp_stack.folder))
    assert f"over RESP at {described['store_url']}" in " ".join(doctor.stdout.split()), doctor.stdout
    assert doctor.returncode == 0, doctor.stdout
    logs = "".join(path.read_text() for path in Path(resp_stack.folder, "logs").glob("*.log"))
    for text in (shown, doctor.stdout + doctor.stderr, logs):
        assert "swordfish" not in text


def test_keys_are_kept_in_its_store(resp_stack: DevStack) -> None:
    made = command("keys", "create", "--tenant", "a", "--role", "client", "--data", str(resp_stack.folder))
    assert made.returncode == 0, made.stderr
    listed = command("keys", "list", "--data", str(resp_stack.folder))
    assert made.stdout.split()[-1][:16] in listed.stdout, listed.stdout


def test_the_same_folder_goes_on_over_rest(resp_stack: DevStack) -> None:
    job_id = submit(resp_stack, "research")
    ended_job(resp_stack, job_id)
    resp_stack.stop()
    resp_stack.arguments = ("--port", "0")
    resp_stack.start()
    assert ended_job(resp_stack, job_id)["status"] == "completed"
    assert resp_stack.reload()["redis_url"].startswith("http://127.0.0.1:")
