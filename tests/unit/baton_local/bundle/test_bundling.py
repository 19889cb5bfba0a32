"""Bundles: what stops their making before anything is installed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_local.bundle.bundling import BUNDLES, Bundling
from baton_local.cli.project import package
from baton_local.dev.stack_error import StackError


def test_they_are_made_in_a_clone_only(tmp_path: Path) -> None:
    """The wheel has no lock file, and a bundle of whatever is newest would be another one each day."""
    with pytest.raises(StackError, match=r"has no uv\.lock: bundles are made in a clone"):
        Bundling(tmp_path)


def test_only_one_function_has_the_providers_libraries() -> None:
    """They would make every cold start of the others slower to download."""
    assert BUNDLES == {"baton": (), "baton-models": ("models",)}


def test_the_command_names_its_platforms() -> None:
    """As CloudFormation does."""
    done = CliRunner().invoke(package, ["--platform", "sparc"])
    assert done.exit_code == 2
    assert "'arm64', 'x86_64'" in done.output
