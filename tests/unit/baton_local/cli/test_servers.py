"""`baton qstash` and `baton redis`."""

import subprocess
import sys
from pathlib import Path

import pytest

BATON = str(Path(sys.executable).with_name("baton"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BATON, *arguments], capture_output=True, text=True, check=False, timeout=180)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("qstash", ["--port", "--data", "--token", "--current-signing-key", "--next-signing-key"]),
        ("redis", ["--port", "--data", "--token"]),
    ],
)
def test_options_and_help_are_the_servers_own(name: str, options: list[str]) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in options)


@pytest.mark.parametrize("name", ["qstash", "redis"])
def test_wrong_options_are_exit_code_2(name: str) -> None:
    done = run(name, "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
