"""Tests whose program this machine does not have are left out, and a line below the tests says so.

In CI a missing program is a failure. A library that the lock file cannot have is missing there, too.
"""

import shutil
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from baton_local.dev.environment import inherited_environment
from tests.contract.js.node_program import node_program
from tests.npm_packages import JavaScriptMissingError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LEFT_OUT = pytest.StashKey[list[str]]()


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the tests away that cannot run here, after -m and -k have made their choice."""
    shown = config.stash.setdefault(LEFT_OUT, [])
    if config.option.collectonly:
        return
    marks: dict[str, Callable[[], str]] = {"harness": _no_harness}
    if "CI" not in inherited_environment():
        marks |= {"node": _no_node, "browser": _no_browser}
    for mark, lacks in marks.items():
        wanted = [item for item in items if item.get_closest_marker(mark)]
        reason = lacks() if wanted else ""
        if reason:
            shown.append(f"{len(wanted)} tests marked {mark} are left out, since {reason}")
            config.hook.pytest_deselected(items=wanted)
            items[:] = [item for item in items if not item.get_closest_marker(mark)]


def _no_node() -> str:
    try:
        node_program()
    except JavaScriptMissingError as error:
        return str(error)
    return ""


def _no_harness() -> str:
    return (
        "" if find_spec("pydantic_ai_harness") else "it demands a lower pydantic-ai: a long test of versions runs them"
    )


def _no_browser() -> str:
    return "" if find_browser() else f"none of {', '.join(BROWSERS)} is on the path: apt-get install chromium"
