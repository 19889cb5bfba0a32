"""Jobs on the real local stack whose parts are killed, or which is stopped as a whole."""

import signal
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack, StackMaker, wait_for
from tests.e2e.slow_agents import STEPS

pytestmark = pytest.mark.e2e

AGENTS = "slow_agents"
NUMBERS = {str(number) for number in range(STEPS)}


def recorded(stack: DevStack, job_id: str) -> set[str]:
    """The numbers whose tool calls are recorded as completed."""
    calls = stack.job(job_id)["toolCalls"]
    return {str(each["arguments"]["number"]) for each in calls if each["status"] == "completed"}


def at_work(stack: DevStack, calls: int) -> str:
    """A job in the middle of its work, with so many finished calls."""
    stack.notes_path.unlink(missing_ok=True)
    job_id = stack.submit("slow", "Note them.")
    wait_for(lambda: len(recorded(stack, job_id)) >= calls, "finished calls")
    return job_id


def assert_finished_with_all_noted(stack: DevStack, job_id: str, *, run_once: set[str]) -> None:
    """The job has its answer, and no call whose result was recorded ran again."""
    ended = stack.completed(job_id)
    assert ended["result"]["answer"] == "All noted."
    assert [tool_call["status"] for tool_call in ended["toolCalls"]] == ["completed"] * STEPS
    noted = stack.noted()
    assert set(noted) == NUMBERS
    assert all(noted.count(number) == 1 for number in run_once)


@pytest.mark.parametrize("names", [("app",), ("qstash", "redis_rest", "redis")], ids=["the app", "everything else"])
def test_a_job_survives_kill_9_of(stack: DevStack, names: tuple[str, ...]) -> None:
    """It finishes with the right answer; finished tool calls do not run again."""
    job_id = at_work(stack, 2)
    before = recorded(stack, job_id)
    for name in names:
        stack.wait_until_back(name, stack.kill(name))
    assert_finished_with_all_noted(stack, job_id, run_once=before)


@pytest.mark.long
def test_a_store_that_is_killed_when_the_queue_was_costs_no_step(stack: DevStack) -> None:
    """The message came again while its first delivery went on: that one keeps what it has done, and publishes the rest.

    It once stood still until a claim was over, two minutes later, and ran a finished tool again.
    """
    job_id = at_work(stack, 1)
    for name in ("qstash", "redis", "redis", "redis"):
        stack.wait_until_back(name, stack.kill(name))
    assert_finished_with_all_noted(stack, job_id, run_once=NUMBERS)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_job_goes_on_after_the_whole_stack_was_stopped(stack: DevStack, number: signal.Signals) -> None:
    """Ctrl-C or kill -9 in the middle, then a start on the same folder."""
    job_id = at_work(stack, 2)
    before = recorded(stack, job_id)
    stack.stop(number)
    assert len(stack.noted()) < STEPS
    stack.start()
    assert_finished_with_all_noted(stack, job_id, run_once=before)


@pytest.mark.long
def test_the_stack_runs_in_a_folder_that_has_a_functions_package(new_stack: StackMaker, tmp_path: Path) -> None:
    """A user's `functions/` does not hide ours."""
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "mine.py").write_text(
        "from baton import Agent, Registry, ScriptedModel\n"
        "registry = Registry(agents=[Agent(name='mine', model=ScriptedModel(['Hello.']))])\n"
    )
    stack = new_stack()
    stack.working_folder, stack.arguments = tmp_path, ("--port", "0", "--app", "mine:registry")
    stack.start()
    assert stack.completed(stack.submit("mine", "Say it."))["result"]["answer"] == "Hello."
