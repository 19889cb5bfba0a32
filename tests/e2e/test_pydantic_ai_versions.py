"""All that holds for agents of libraries under the locked versions holds under the lowest that are supported."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev_stack import ROOT, wait_for
from tests.e2e.hosting import ADMIN_KEY, Hosting, hosting_in
from tests.e2e.pydantic_ai_versions import OPENAI, environment_with, lowest, newest, run_in

pytestmark = pytest.mark.e2e


FOLDERS = tuple(f"tests/unit/baton/sdk/{one}" for one in ("pydantic_ai", "openai_agents", "langgraph", "libraries"))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the lowest version."""
    return environment_with(lowest(), tmp_path_factory.mktemp("lowest"))


@pytest.mark.long
def test_agents_do_the_same_under_the_lowest_version(python: Path) -> None:
    chosen = "not long and not harness"
    # It raises where a run is collected that a process left, as here; costs are held for the locked versions alone.
    others = ("-k", "not effect_may_be_there_after_a_stop and not late_turn_costs")
    assert " passed" in run_in(python, "pytest", "-q", "-m", chosen, *others, *FOLDERS)


@pytest.mark.long
def test_capabilities_of_the_harness_do_what_the_guide_says(python: Path) -> None:
    # What the end of a simulated process leaves of a run may be collected in a later test.
    chosen = ("-m", "harness", "-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    assert " passed" in run_in(python, "pytest", "-q", *chosen, "tests/unit/baton/sdk/pydantic_ai")


@pytest.mark.long
def test_capabilities_of_the_harness_outlive_their_processes(python: Path) -> None:
    assert " passed" in run_in(python, "pytest", "-q", "-m", "harness", "tests/e2e/test_dying_capabilities.py")


@pytest.mark.long
@pytest.mark.parametrize("begins", ["lowest", "newest"])
@pytest.mark.parametrize(
    ("agents", "name", "output", "requests"),
    [
        ("pydantic_ai_agents", "planner", {"city": "Ulm", "euros": 120}, 4),
        ("library_planners", "openai-planner", "booked", 3),
        ("library_planners", "langgraph-planner", "booked", 3),
    ],
)
def test_a_run_that_began_under_one_version_is_finished_under_the_other(
    python: Path, tmp_path: Path, begins: str, agents: str, name: str, output: Any, requests: int
) -> None:
    """It waits for a person while its process is replaced; then it books, and its output is corrected."""
    pythons = [str(python), sys.executable]
    first, second = pythons if begins == "lowest" else reversed(pythons)
    with hosting_in(tmp_path, base_path="") as hosting:
        server = hosting.serve_and_wait(agents=agents, python=first)
        job_id = hosting.submit(name, "Plan a trip.", inputData={"who": "Ann"})
        wait_for(lambda: len(asked(hosting, job_id)) == 1, "the question")
        server.stop()
        hosting.serve_and_wait(agents=agents, python=second)
        [question] = asked(hosting, job_id)
        hosting.request("POST", f"/api/admin/agent-checkpoints/{question['id']}", key=ADMIN_KEY, json={})
        job = hosting.completed(job_id)
        assert job["result"]["output"] == output
        kinds = [line.split()[0] for line in hosting.notes_path.read_text().splitlines()]
        assert (kinds.count("model"), kinds.count("begin"), kinds.count("book")) == (requests, 2, 1)


def asked(hosting: Hosting, job_id: str) -> list[dict[str, Any]]:
    return list(hosting.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")["checkpoints"])


def test_the_lowest_version_is_not_the_newest() -> None:
    """Else nothing of this would say more than the other tests. Each version is that of pyproject.toml."""
    assert lowest() != newest()
    assert f'"{OPENAI.replace("==", ">=").removesuffix(".0")}"' in (ROOT / "pyproject.toml").read_text()
