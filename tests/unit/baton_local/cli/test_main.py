import subprocess
import sys

from click.testing import CliRunner

from baton_local.cli.main import SUBCOMMANDS, main


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


def test_every_command_of_the_table_exists() -> None:
    for name in ("demo", "dev", "keys"):
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert "Usage:" in result.output


def test_an_unknown_command_is_wrong_use_and_names_the_others() -> None:
    result = CliRunner().invoke(main, ["nope"])
    assert result.exit_code == 2
    assert "'nope'" in result.output
    assert "dev, diff, doctor, fork, gate, init, jobs, keys, mcp, package, qstash, redis" in result.output


def test_the_version_is_reported() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.split()[-1][0].isdigit()
