"""README's commands, run as a newcomer would copy them."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack

pytestmark = pytest.mark.e2e

README = Path(__file__).resolve().parents[2] / "README.md"
LIMIT_SECONDS = 60


def blocks(language: str, tag: str) -> list[str]:
    """The page's code blocks that are marked with this word."""
    fence = re.compile(rf"^```{language} {re.escape(tag)}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fence.findall(README.read_text(encoding="utf-8"))


def block(language: str, tag: str) -> str:
    """The one code block that is marked with this word."""
    (found,) = blocks(language, tag)
    return found


def run(script: str, folder: Path) -> str:
    """Run commands in one shell, in a folder; what they print."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_first_five_minutes_work(new_stack: Callable[..., DevStack], tmp_path: Path) -> None:
    """Submit, watch, read, and the small scenario, in one shell beside a running `baton dev`."""
    (tmp_path / ".baton").mkdir()
    new_stack(data=tmp_path / ".baton" / "dev").start()
    stream, _, rest = run("".join(blocks("sh", "runnable")), tmp_path).partition("data: [DONE]")
    assert '"type":"data-event"' in stream
    assert '"status":"completed"' in rest
    assert "[keepers.md]" in rest
    assert "tool.execution.complete" in rest


@pytest.fixture
def own_project(new_stack: Callable[..., DevStack], tmp_path: Path) -> DevStack:
    """The guide's package in an empty folder, and its `baton dev` there, on free ports."""
    (tmp_path / ".baton").mkdir()
    (tmp_path / "my_company").mkdir()
    (tmp_path / "my_company" / "__init__.py").touch()
    code = block("python", "my_company/agents.py")
    (tmp_path / "my_company" / "agents.py").write_text(code, encoding="utf-8")
    program, subcommand, *arguments = shlex.split(block("sh", "own-dev"))
    assert (program, subcommand) == ("baton", "dev")
    stack = new_stack(data=tmp_path / ".baton" / "dev", arguments=(*arguments, "--port", "0"))
    stack.working_folder = tmp_path
    return stack.start()


def test_the_agent_of_your_own_works(own_project: DevStack, tmp_path: Path) -> None:
    """The clerk's stream, and its answer."""
    shown = run(block("sh", "own-shell") + block("sh", "own-clerk"), tmp_path)
    stream, _, result = shown.partition("data: [DONE]")
    assert "look_up_price" in stream
    for said in ("look_up_price lamp: 20", "look_up_price lens: 310", "nobody sells a bell at the moment"):
        assert said in result
    assert own_project.stop() == 0


def test_the_order_of_your_own_waits_over_a_restart(own_project: DevStack, tmp_path: Path) -> None:
    """Until it is agreed to, by the commands that are printed."""
    shell = block("sh", "own-shell")
    shown = run(f'{shell}{block("sh", "own-order")}echo "JOB=$JOB"', tmp_path)
    waiting_for, job = shown.splitlines()
    assert waiting_for.startswith("the outcome of tool ask_for_approval")
    own_project.stop()
    own_project.start()
    shown = run(f"{shell}{job}\n{block('sh', 'own-approval')}", tmp_path)
    assert '"applied":true' in shown
    stream, _, result = shown.partition("data: [DONE]")
    assert '"output":330' in stream
    assert "agreed, buy them" in result


def test_the_guide_installs_what_there_is() -> None:
    """Its extra, and the package that the rest of it uses; installing needs the network, so no test does it."""
    commands = block("sh", "own-install")
    extras = tomllib.loads(README.with_name("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert 'pip install "$CLONE[local]"' in commands
    assert "local" in extras["optional-dependencies"]
    assert "mkdir my_company" in commands
