"""A job of the real local stack is recorded, and plays back from its API and from a file."""

import json
import subprocess
from pathlib import Path

import pytest

from baton_local.cli.demo.command import SCENARIOS
from tests.e2e.dev_stack import DevStack, run_baton

pytestmark = pytest.mark.e2e


def replay(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_baton("replay", *arguments, "--offline", folder=folder, **environment)


@pytest.mark.long
def test_what_has_changed_since_is_shown(stack: DevStack, tmp_path: Path) -> None:
    """The recorded result stands for a tool; the end differs if the recording says so."""
    job_id = stack.submit("simple", "Do it.")
    stack.completed(job_id)
    assert replay(tmp_path, job_id, "--data", str(stack.folder), "--save", "run.json").returncode == 0
    document = json.loads((tmp_path / "run.json").read_text())
    document["job"]["limits"]["turns"] = 3
    (tmp_path / "run.json").write_text(json.dumps(document))
    done = replay(tmp_path, "run.json")
    assert done.returncode == 1
    assert "limit turns\n  recorded: 3\n  now:      20" in done.stdout


@pytest.mark.long
def test_the_demos_jobs_play_back_as_they_ran(stack: DevStack, tmp_path: Path) -> None:
    """Of every sample that the demo shows; then again from a file, when nothing runs any more."""
    for name in ("research", "report", "planner", "supervisor"):
        scenario = SCENARIOS[name]
        job_id = stack.submit(scenario.job_type, scenario.tasks[0].text)
        stack.completed(job_id)
        done = replay(tmp_path, job_id, "--data", str(stack.folder), "--save", f"{name}.json")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        assert f"job {job_id} (agent {scenario.job_type}" in done.stdout
    assert stack.stop() == 0
    assert replay(tmp_path, "research.json", HTTPS_PROXY="http://127.0.0.1:1").returncode == 0
