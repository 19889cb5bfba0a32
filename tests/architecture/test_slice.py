"""`make test` is a slice of all tests that leaves no part of them out."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_files import ROOT


def folders(*options: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {str(Path(line.partition("::")[0]).parent) for line in shown.splitlines() if "::" in line}


@pytest.mark.long
def test_every_folder_has_tests_that_are_not_long() -> None:
    assert folders() - folders("-m", "not long") == set()
