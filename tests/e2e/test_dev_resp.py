"""`baton dev --store resp`: the app talks to its server without the REST bridge."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, run_baton, stacks, wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A stack that the person's own store settings do not concern."""
    own = {"REDIS_URL": "redis://:swordfish@store.example.com", "UPSTASH_REDIS_REST_URL": "https://x.example.com"}
    with stacks(tmp_path_factory.mktemp("resp")) as make:
        made = make(**own)
        made.arguments += ("--store", "resp")
        yield made.start()


def test_a_job_runs_without_the_bridge(stack: DevStack) -> None:
    stack.completed(stack.submit("research", "How did sailors tell one lighthouse from another?"))
    assert set(stack.reload()["processes"]) == {"app", "qstash", "redis", "vector"}


def test_all_say_what_they_are_connected_to(stack: DevStack) -> None:
    """The screen, dev.json, `/readyz`, and the doctor; the person's own password nowhere."""
    described = stack.reload()
    assert described["store_url"].startswith("unix:///")
    assert (described["redis_url"], described["redis_token"]) == ("", "")
    wait_for(lambda: "Ready." in stack.output, "the ready text")
    assert f"{described['store_url']} (RESP)" in stack.output
    answer = httpx.get(f"{described['app_url']}/readyz", timeout=PATIENCE_SECONDS)
    assert answer.json() == {"status": "ready", "store": "RESP", "objectStore": "ready"}
    doctor = run_baton("doctor", "--data", str(stack.folder))
    assert f"over RESP at {described['store_url']}" in " ".join(doctor.stdout.split()), doctor.stdout
    assert doctor.returncode == 0, doctor.stdout
    logs = "".join(path.read_text() for path in Path(stack.folder, "logs").glob("*.log"))
    for text in (stack.output, doctor.stdout + doctor.stderr, logs):
        assert "swordfish" not in text


@pytest.mark.long
def test_keys_are_kept_in_its_store(stack: DevStack) -> None:
    data = ("--data", str(stack.folder))
    made = run_baton("keys", "create", "--tenant", "a", "--role", "client", *data)
    assert made.returncode == 0, made.stderr
    listed = run_baton("keys", "list", *data)
    assert made.stdout.split()[-1][:16] in listed.stdout, listed.stdout


@pytest.mark.long
def test_the_same_folder_goes_on_over_rest(stack: DevStack) -> None:
    """What is kept does not depend on how it was reached."""
    job_id = stack.submit("research", "Do it.")
    stack.completed(job_id)
    stack.stop()
    stack.arguments = ("--port", "0")
    stack.start()
    stack.completed(job_id)
    assert stack.reload()["redis_url"].startswith("http://127.0.0.1:")
