"""Jobs on the real local stack, undisturbed and disturbed."""

import json
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, DevStack, wait_for

pytestmark = pytest.mark.e2e

SLOW_STEPS = 6
END_STATES = {"completed", "failed", "cancelled"}
# The work's time limit, ten seconds more until a dead process's claim is over, and the queue's pauses.
RECOVERY_SECONDS = 300.0


def call(stack: DevStack, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Use the API as a client does."""
    request = urllib.request.Request(
        stack.described["app_url"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {stack.described['client_key']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        result: dict[str, Any] = json.load(answer)
    return result


def submit(stack: DevStack, job_type: str, task: str = "Do it.") -> str:
    """Submit a job; return its id."""
    return str(call(stack, "POST", "/api/agent-jobs", {"jobType": job_type, "taskDescription": task})["id"])


def job(stack: DevStack, job_id: str) -> dict[str, Any]:
    """Read a job."""
    return call(stack, "GET", f"/api/agent-jobs/{job_id}")


def ended_job(stack: DevStack, job_id: str) -> dict[str, Any]:
    """Wait for a job's end; the app may be away meanwhile."""
    found: list[dict[str, Any]] = []

    def is_over() -> bool:
        try:
            found.append(job(stack, job_id))
        except OSError:  # refused or broken connections, and answers 5xx
            return False
        return found[-1]["status"] in END_STATES

    wait_for(is_over, f"the end of {job_id}", RECOVERY_SECONDS)
    return found[-1]


@pytest.fixture
def slow_stack(new_stack: Callable[..., DevStack], tmp_path: Path) -> DevStack:
    """A stack whose agent takes its time."""
    stack = new_stack(arguments=("--port", "0", "--app", "slow_agents:registry"))
    stack.working_folder = Path(__file__).parent
    stack.environment = {**stack.environment, "NOTES": str(tmp_path / "notes")}
    return stack


def assert_finished_with_all_noted(ended: dict[str, Any], notes: Path, *, run_once: set[str]) -> None:
    assert ended["status"] == "completed", ended["error"]
    assert ended["result"]["answer"] == "All noted."
    assert [tool_call["status"] for tool_call in ended["toolCalls"]] == ["completed"] * SLOW_STEPS
    noted = notes.read_text().split()
    assert set(noted) == {str(number) for number in range(SLOW_STEPS)}
    assert all(noted.count(number) == 1 for number in run_once)


def noted_and_recorded(stack: DevStack, job_id: str) -> set[str]:
    calls = job(stack, job_id)["toolCalls"]
    return {str(each["arguments"]["number"]) for each in calls if each["status"] == "completed"}


def test_a_job_submitted_over_http_completes(dev_stack: DevStack) -> None:
    ended = ended_job(dev_stack, submit(dev_stack, "research", "How did the Fresnel lens change lighthouses?"))
    assert ended["status"] == "completed", ended["error"]
    assert "[fresnel-lens.md]" in ended["result"]["answer"]
    assert {each["status"] for each in ended["toolCalls"]} == {"completed"}


def test_the_small_scenario_runs(dev_stack: DevStack) -> None:
    request = urllib.request.Request(f"{dev_stack.described['app_url']}/test/simple", method="POST", data=b"")
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert answer.status < 300


def test_a_job_survives_kill_9_of_the_app(slow_stack: DevStack, tmp_path: Path) -> None:
    stack = slow_stack.start()
    job_id = submit(stack, "slow")
    wait_for(lambda: len(noted_and_recorded(stack, job_id)) >= 2, "two finished calls")
    before = noted_and_recorded(stack, job_id)
    stack.wait_until_back("app", stack.kill("app"))
    assert_finished_with_all_noted(ended_job(stack, job_id), tmp_path / "notes", run_once=before)


def test_a_job_survives_kill_9_of_everything_else(slow_stack: DevStack, tmp_path: Path) -> None:
    stack = slow_stack.start()
    job_id = submit(stack, "slow")
    wait_for(lambda: len(noted_and_recorded(stack, job_id)) >= 1, "a finished call")
    before = noted_and_recorded(stack, job_id)
    for name in ("qstash", "redis_rest", "redis"):
        stack.wait_until_back(name, stack.kill(name))
    assert_finished_with_all_noted(ended_job(stack, job_id), tmp_path / "notes", run_once=before)


@pytest.mark.long
def test_a_store_that_is_killed_when_the_queue_was_costs_no_step(slow_stack: DevStack, tmp_path: Path) -> None:
    """The message came again while its first delivery went on: that one keeps what it has done, and publishes the rest.

    It once stood still until a claim was over, two minutes later, and ran a finished tool again.
    """
    stack = slow_stack.start()
    job_id = submit(stack, "slow")
    wait_for(lambda: len(noted_and_recorded(stack, job_id)) >= 1, "a finished call")
    stack.wait_until_back("qstash", stack.kill("qstash"))
    for _ in range(3):
        stack.wait_until_back("redis", stack.kill("redis"))
    every_one = {str(number) for number in range(SLOW_STEPS)}
    assert_finished_with_all_noted(ended_job(stack, job_id), tmp_path / "notes", run_once=every_one)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_job_goes_on_after_the_whole_stack_was_stopped(
    slow_stack: DevStack, tmp_path: Path, number: signal.Signals
) -> None:
    stack = slow_stack.start()
    job_id = submit(stack, "slow")
    wait_for(lambda: len(noted_and_recorded(stack, job_id)) >= 2, "two finished calls")
    before = noted_and_recorded(stack, job_id)
    stack.stop(number)
    assert len((tmp_path / "notes").read_text().split()) < SLOW_STEPS
    stack.start()
    assert_finished_with_all_noted(ended_job(stack, job_id), tmp_path / "notes", run_once=before)


@pytest.mark.long
def test_the_stack_runs_in_a_folder_that_has_a_functions_package(
    new_stack: Callable[..., DevStack], tmp_path: Path
) -> None:
    """A user's `functions/` does not hide ours."""
    project = tmp_path / "project"
    (project / "functions").mkdir(parents=True)
    (project / "functions" / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    (project / "mine.py").write_text(
        "from baton import Agent, Registry, ScriptedModel\n"
        "registry = Registry(agents=[Agent(name='mine', model=ScriptedModel(['Hello.']))])\n"
    )
    stack = new_stack(arguments=("--port", "0", "--app", "mine:registry"))
    stack.working_folder = project
    stack.start()
    assert ended_job(stack, submit(stack, "mine"))["result"]["answer"] == "Hello."
