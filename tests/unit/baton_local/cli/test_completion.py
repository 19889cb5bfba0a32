"""`baton completion`."""

import pytest
from click.testing import CliRunner

from baton_local.cli.main import SHELLS, main


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str) -> None:
    assert "_BATON_COMPLETE" in CliRunner().invoke(main, ["completion", shell]).output


def test_subcommands_complete() -> None:
    requested = {"_BATON_COMPLETE": "bash_complete", "COMP_WORDS": "baton jobs ca", "COMP_CWORD": "2"}
    done = CliRunner().invoke(main, [], prog_name="baton", env=requested, complete_var="_BATON_COMPLETE")
    assert "plain,cancel" in done.output
