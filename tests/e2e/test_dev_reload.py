"""`baton dev` while a person writes: saved code is running code, and jobs go on with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack, wait_for
from tests.e2e.test_dev_jobs import ended_job, job, submit

pytestmark = pytest.mark.e2e

RUNS = "app | runs with the saved code"
CODE = '''
import time

from baton import Agent, Call, Registry, ScriptedModel, tool


@tool
def nap(number: int) -> str:
    """Take a nap."""
    time.sleep(0.3)
    return "{word}"


turns = [*([Call("nap", {{"number": number}})] for number in range(8)), "{word}"]
registry = Registry(agents=[Agent(name="mine", model=ScriptedModel(turns), tools=[nap])])
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mine.py").write_text(CODE.format(word="before"))
    return folder


@pytest.fixture
def stack(new_stack: Callable[..., DevStack], project: Path) -> DevStack:
    made = new_stack(arguments=("--port", "0", "--app", "mine:registry"))
    made.working_folder = project
    return made.start()


def test_a_job_goes_on_with_the_code_that_was_saved(stack: DevStack, project: Path) -> None:
    """Its queue and its Redis stay as they are; what is done is not done again."""
    before = stack.reload()["processes"]
    job_id = submit(stack, "mine")
    wait_for(lambda: "completed" in {call["status"] for call in job(stack, job_id)["toolCalls"]}, "a finished call")
    (project / "mine.py").write_text(CODE.format(word="after"))
    ended = ended_job(stack, job_id)
    assert (ended["status"], ended["result"]["answer"]) == ("completed", "after"), ended["error"]
    after = stack.reload()["processes"]
    assert {name for name in before if before[name] != after[name]} == {"app"}
    wait_for(lambda: RUNS in stack.output_path.read_text(), "the word that it runs again")
    shown = stack.output_path.read_text()
    assert shown.count(RUNS) == 1
    assert "app | mine.py has changed: starting again with it" in shown


def test_an_error_in_what_was_saved_is_shown_and_heals_with_the_next_save(stack: DevStack, project: Path) -> None:
    job_id = submit(stack, "mine")
    (project / "mine.py").write_text(CODE.format(word="broken").replace("import time", "import tmie"))
    wait_for(lambda: "waits for its code to be mended" in stack.output_path.read_text(), "the error")
    shown = stack.output_path.read_text()
    assert f'File "{project}/mine.py", line 2' in shown
    assert "ModuleNotFoundError: No module named 'tmie'" in shown
    (project / "mine.py").write_text(CODE.format(word="mended"))
    ended = ended_job(stack, job_id)
    assert (ended["status"], ended["result"]["answer"]) == ("completed", "mended"), ended["error"]
    wait_for(lambda: RUNS in stack.output_path.read_text(), "the word that it runs again")
