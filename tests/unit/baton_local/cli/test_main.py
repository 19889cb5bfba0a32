import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_events.proxies import proxy_for
from baton_local.cli.main import SUBCOMMANDS, main

BATON = str(Path(sys.executable).with_name("baton"))


def test_help_lists_every_command_without_importing_any() -> None:
    """So that it is quick."""
    program = (
        "import sys\nfrom baton_local.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "unwanted = ('httpx', 'rich', 'asyncio', 'uvicorn', 'baton_local.cli.dev')\n"
        "print([name for name in sys.modules if name in unwanted])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=180)
    assert all(f"  {name} " in done.stdout for name in SUBCOMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_of_the_table_exists_and_an_unknown_one_names_them() -> None:
    for name in ("demo", "dev", "keys"):
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert "Usage:" in result.output
    result = CliRunner().invoke(main, ["nope"])
    assert result.exit_code == 2
    assert "'nope'" in result.output
    assert "dev, diff, doctor, fork, gate, init, jobs, keys, mcp, package, pump, qstash, redis" in result.output
    assert "'jobz'; did you mean 'jobs'?" in CliRunner().invoke(main, ["jobz"]).output


def test_every_command_reaches_this_machine_without_a_proxy_and_keeps_the_users_exceptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable in small letters hides the other one, so each gets what was in the one that counted."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv(variable, "intranet.example")
        CliRunner().invoke(main, ["check", "--data", "none"])
        near = ("127.0.0.1:1", "127.0.0.9", "localhost:2", "[::1]:3", "intranet.example")
        assert [host for host in near if proxy_for(f"http://{host}")] == []
        assert proxy_for("http://far.example.com") is not None


def test_a_disk_that_refuses_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever a command writes: its file is named, and no traceback is shown."""
    monkeypatch.chdir(tmp_path)
    name = "a" * 300
    refused = CliRunner().invoke(main, ["init", name])
    assert refused.exit_code == 1
    assert refused.output.startswith(f"baton: {name}: File name too long")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([BATON, "--help"], stdout=full, stderr=-1, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "baton: No space left on device: free some")


def test_the_version_is_reported() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.split()[-1][0].isdigit()


def test_a_shell_gets_its_script_as_the_help_says() -> None:
    assert "$(_BATON_COMPLETE=bash_source baton)" in CliRunner().invoke(main, ["--help"]).output
    done = CliRunner().invoke(main, [], prog_name="baton", env={"_BATON_COMPLETE": "bash_source"})
    assert "complete" in done.output
    assert "_BATON_COMPLETE=bash_complete" in done.output


def test_subcommands_complete() -> None:
    requested = {"_BATON_COMPLETE": "bash_complete", "COMP_WORDS": "baton jobs ca", "COMP_CWORD": "2"}
    done = CliRunner().invoke(main, [], prog_name="baton", env=requested, complete_var="_BATON_COMPLETE")
    assert "plain,cancel" in done.output


@pytest.mark.parametrize(
    ("name", "option"), [("qstash", "--current-signing-key"), ("redis", "--token"), ("vector", "--embedder")]
)
def test_options_and_help_of_a_stand_in_are_the_servers_own(name: str, option: str) -> None:
    helped, wrong = (
        subprocess.run([BATON, name, given], capture_output=True, text=True, check=False, timeout=180)
        for given in ("--help", "--no-such-option")
    )
    assert helped.returncode == 0
    assert all(shown in helped.stdout for shown in ("--port", "--data", option))
    assert wrong.returncode == 2
    assert "--no-such-option" in wrong.stderr
