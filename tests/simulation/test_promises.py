"""The pages that say what is promised name invariants that are checked, and bounds that are those of the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.excuses import LEFT_SECONDS

_HERE = Path(__file__).parent
_OPERATIONS = _HERE.parents[1] / "docs" / "operations.md"
_NAME = re.compile(r"`([a-z]+(?:_[a-z]+){2,})`")


def _section(path: Path, heading: str) -> str:
    return path.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]


def _checked() -> Iterator[str]:
    """Each function of the simulation, and each name with which it says that something is broken."""
    for path in _HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield node.name
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "broken":
                yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        (_HERE / "README.md", "Promise → invariant"),
        (_HERE / "README.md", "What a failover bends"),
        (_OPERATIONS, "How soon a job goes on"),
    ],
)
def test_each_invariant_that_a_page_names_is_checked(path: Path, heading: str) -> None:
    """A promise whose invariant is gone would be one that nobody holds."""
    named = set(_NAME.findall(_section(path, heading)))
    assert named, heading
    assert named - set(_checked()) == set()


def test_the_bound_that_the_pages_name_is_that_of_the_excuses() -> None:
    """It follows from the schedule of the sweep that a setup makes."""
    minutes = f"{LEFT_SECONDS / 60:g} minutes"
    assert minutes in _section(_HERE / "README.md", "What is left to the sweep")
    assert minutes in _section(_OPERATIONS, "How soon a job goes on")
