"""`baton dev` while a person writes: saved code is running code, and jobs go on with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack, stacks, wait_for

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


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of its own folder, with one agent."""
    path = tmp_path_factory.mktemp("project") / "mine.py"
    path.write_text(CODE.format(word="before"))
    return path


@pytest.fixture(scope="module")
def stack(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    with stacks(tmp_path_factory.mktemp("stack")) as make:
        made = make(WEB_CONCURRENCY="2")
        made.working_folder, made.arguments = code.parent, ("--port", "0", "--app", "mine:registry")
        yield made.start()


def assert_answers(stack: DevStack, job_id: str, word: str, times: int) -> None:
    """With the word of the code that was saved; the app has said each time that it runs it."""
    assert stack.completed(job_id)["result"]["answer"] == word
    wait_for(lambda: stack.output.count(RUNS) >= times, "the word that it runs again")
    assert stack.output.count(RUNS) == times


def test_a_job_goes_on_with_the_code_that_was_saved(stack: DevStack, code: Path) -> None:
    """In both processes, said once. Its queue and its Redis stay as they are; what is done is not done again."""
    wait_for(lambda: "app-2" in stack.reload()["processes"], "the second process")
    before, times = stack.described["processes"], stack.output.count(RUNS)
    job_id = stack.submit("mine", "Nap.")
    wait_for(lambda: "completed" in {call["status"] for call in stack.job(job_id)["toolCalls"]}, "a finished call")
    code.write_text(CODE.format(word="after"))
    assert_answers(stack, job_id, "after", times + 1)
    wait_for(lambda: stack.reload()["processes"].get("app-2", before["app-2"]) != before["app-2"], "its new process")
    after = stack.described["processes"]
    assert {name for name in before if before[name] != after[name]} == {"app", "app-2"}
    assert "app-2 |" not in stack.output
    assert "app | mine.py has changed: starting again with it" in stack.output


def test_an_error_in_what_was_saved_is_shown_and_heals_with_the_next_save(stack: DevStack, code: Path) -> None:
    """With file, line and message; the job that runs waits for it."""
    times = stack.output.count(RUNS)
    job_id = stack.submit("mine", "Nap.")
    code.write_text(CODE.format(word="broken").replace("import time", "import tmie"))
    wait_for(lambda: "waits for its code to be mended" in stack.output, "the error")
    assert f'File "{code}", line 2' in stack.output
    assert "ModuleNotFoundError: No module named 'tmie'" in stack.output
    code.write_text(CODE.format(word="mended"))
    assert_answers(stack, job_id, "mended", times + 1)
