"""What `baton demo` refuses before it starts anything; what it shows is tested in tests/e2e."""

import pytest
from click.testing import CliRunner

from baton_local.cli.demo import command


def test_a_demo_whose_packages_are_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that cannot import its agents would say less."""
    monkeypatch.setattr(command, "find_spec", lambda _name: None)
    shown = CliRunner().invoke(command.demo, ["pydantic"])
    assert shown.exit_code == 2
    assert "pydantic needs pydantic_ai, which is not installed: install the extra `models`" in shown.output
