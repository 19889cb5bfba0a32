"""`baton vector`."""

import subprocess
import sys
from pathlib import Path

BATON = str(Path(sys.executable).with_name("baton"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BATON, "vector", *arguments], capture_output=True, text=True, check=False, timeout=180)


def test_options_and_help_are_the_servers_own() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--port", "--data", "--token", "--dimension", "--embedder"))


def test_wrong_options_are_exit_code_2() -> None:
    done = run("--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
