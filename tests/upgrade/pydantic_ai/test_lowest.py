"""All that holds for agents of pydantic-ai under the locked version holds under the lowest that is supported."""

from pathlib import Path

import pytest

from tests.upgrade.pydantic_ai.supported import environment_with, lowest, run_in


@pytest.mark.long
def test_agents_and_stored_runs_do_the_same_under_the_lowest_version(tmp_path: Path) -> None:
    """In an environment of its own; stored runs of the newest version, too."""
    python = environment_with(lowest(), tmp_path)
    found = run_in(
        python,
        "pytest",
        "-q",
        "-m",
        "not long",
        "tests/unit/baton/pydantic_ai",
        "tests/upgrade/pydantic_ai/test_stored_runs.py",
    )
    assert " passed" in found
