"""Which libraries each target installs: the demo's are few, the tests' are all."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_files import ROOT


def _installs(target: str, *variables: str) -> list[str]:
    """Return the groups of libraries that a target installs in a fresh clone."""
    command = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "--dry-run", "--always-make", target, *variables]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    commands = [line for line in printed.splitlines() if "uv sync" in line]
    return [line.partition("--inexact")[2].partition("2>")[0].strip() for line in commands]


@pytest.mark.parametrize("target", ["demo", "dev"])
def test_the_demo_installs_nothing_of_tests_models_or_linters(target: str) -> None:
    assert _installs(target) == ["--no-default-groups --group local"]


@pytest.mark.parametrize(("target", "variables"), [("test", ()), ("setup", ()), ("demo", ("ARGS=pydantic",))])
def test_others_install_all(target: str, variables: tuple[str, ...]) -> None:
    assert _installs(target, *variables) == [""]


def folders(*options: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {str(Path(line.partition("::")[0]).parent) for line in shown.splitlines() if "::" in line}


@pytest.mark.long
def test_every_folder_has_tests_that_are_not_long() -> None:
    assert folders() - folders("-m", "not long") == set()
