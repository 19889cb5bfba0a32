"""Where a program cannot be had, a person's test run says so in one line, and CI fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from baton_local.dev.environment import inherited_environment
from tests.architecture.source_files import ROOT

pytestmark = pytest.mark.long
NOTHING_COLLECTED, FAILED = 5, 1
JAVASCRIPT, BROWSER = "tests/contract/js/test_javascript_sdks.py", "tests/browser/test_chat.py"
NO_SDKS = "are left out, since npm ci failed, is its registry reachable?"
NO_BROWSER = "tests marked browser are left out, since none of chromium, "


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run tests on a machine that has no SDKs yet, reaches no registry, and has no browser."""
    surroundings = {name: value for name, value in inherited_environment().items() if name != "CI"}
    unreachable = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0", "PATH": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**surroundings, **unreachable, "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_persons_run_leaves_them_out_and_says_why(tmp_path: Path, workers: str) -> None:
    done = run(tmp_path, JAVASCRIPT, BROWSER, workers)
    assert done.returncode == NOTHING_COLLECTED, done.stdout + done.stderr
    for shown in (NO_SDKS, NO_BROWSER):
        assert [shown in line for line in done.stdout.splitlines()].count(True) == 1, done.stdout


@pytest.mark.parametrize(("path", "shown"), [(JAVASCRIPT, "npm ci failed"), (BROWSER, "none of chromium, ")])
def test_in_ci_they_fail(tmp_path: Path, path: str, shown: str) -> None:
    done = run(tmp_path, path, "-x", CI="true")
    assert done.returncode == FAILED, done.stdout
    assert shown in done.stdout
