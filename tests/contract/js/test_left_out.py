"""Where the SDKs cannot be had, a person's test run says so in one line, and CI fails."""

import subprocess
import sys
from pathlib import Path

from baton_local.dev.surroundings import inherited_environment

HERE = Path(__file__).parent
NOTHING_COLLECTED, FAILED = 5, 1


def run(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the JavaScript tests on a machine that has no SDKs yet and reaches no registry."""
    surroundings = {name: value for name, value in inherited_environment().items() if name != "CI"}
    unreachable = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0"}
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(HERE / "test_javascript_sdks.py")]
    return subprocess.run(
        command,
        cwd=HERE.parents[2],
        env={**surroundings, **unreachable, "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_a_persons_run_leaves_them_out_and_says_why(tmp_path: Path) -> None:
    """In one line, with how many there are."""
    done = run(tmp_path)
    assert done.returncode == NOTHING_COLLECTED, done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("JavaScript SDKs:"))
    assert "tests left out, since npm ci failed, is its registry reachable?" in line


def test_in_ci_they_fail(tmp_path: Path) -> None:
    """Nothing is left out silently."""
    done = run(tmp_path, CI="true")
    assert done.returncode == FAILED, done.stdout
    assert "npm ci failed" in done.stdout
