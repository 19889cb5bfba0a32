"""Which libraries each target installs: the demo's are few, the tests' are all; and each folder has quick tests."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source_files import ROOT, source_files


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


def test_every_folder_has_tests_that_are_not_long() -> None:
    """A file's tests are long by its `pytestmark`, or each by its own mark; some parameters' marks do not count."""
    files = [file for file in source_files("tests") if Path(file.name).name.startswith("test_")]
    quick = {
        Path(file.name).parent
        for file in files
        if not re.search(r"^pytestmark = .*mark\.long", file.text, re.MULTILINE)
        for test in file.functions()
        if test.name.startswith("test_") and "pytest.mark.long" not in map(ast.unparse, test.decorator_list)
    }
    assert {Path(file.name).parent for file in files} - quick == set()
