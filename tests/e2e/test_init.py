"""A project that `baton init` has made runs, and passes its tests, at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.dev_stack import PATIENCE_SECONDS, baton

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(tmp_path: Path) -> Path:
    run(tmp_path, *baton("init", "my-agents"))
    return tmp_path / "my-agents"


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
def test_its_demo_shows_its_agent(project: Path) -> None:
    arguments = ("assistant", "--app", "functions.agents:registry", "--task", "What is 19 percent of 240?")
    shown = run(project, *baton("demo", *arguments))
    assert "What is 19 percent of 240?" in shown
    assert "share_of: returned" in shown
    assert "19 percent of 240 is 45.6." in shown


@pytest.mark.long
@pytest.mark.parametrize(("options", "passed"), [((), "3 passed"), (("--workflow", "--code-mode"), "4 passed")])
def test_its_tests_pass(tmp_path: Path, options: tuple[str, ...], passed: str) -> None:
    """What `make test` runs; one of them kills the app."""
    run(tmp_path, *baton("init", "mine", *options))
    assert passed in run(tmp_path / "mine", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_its_makefile_lists_what_can_be_done(project: Path) -> None:
    listed = [line.split()[:2] for line in run(project, "make").splitlines()]
    assert listed == [["make", target] for target in ("help", "demo", "dev", "test", "package")]
