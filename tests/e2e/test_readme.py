"""README's commands, run as a newcomer would copy them."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.dev_stack import DevStack
from tests.e2e.test_dev_jobs import ended_job, submit

pytestmark = pytest.mark.e2e

README = Path(__file__).resolve().parents[2] / "README.md"
LIMIT_SECONDS = 60


def blocks(language: str, tag: str) -> list[str]:
    """The page's code blocks that are marked with this word."""
    fence = re.compile(rf"^```{language} {re.escape(tag)}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fence.findall(README.read_text(encoding="utf-8"))


def test_the_commands_of_the_first_five_minutes_work(new_stack: Callable[..., DevStack], tmp_path: Path) -> None:
    """Submit, watch, read, and the small scenario, in one shell beside a running `baton dev`."""
    (tmp_path / ".baton").mkdir()
    new_stack(data=tmp_path / ".baton" / "dev").start()
    script = "".join(blocks("sh", "runnable"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stream, _, rest = done.stdout.partition("data: [DONE]")
    assert '"type":"data-event"' in stream
    assert '"status":"completed"' in rest
    assert "[keepers.md]" in rest
    assert "tool.execution.complete" in rest


def test_the_agent_of_your_own_works(new_stack: Callable[..., DevStack], tmp_path: Path) -> None:
    """The example as it is printed, started as it is printed."""
    (code,), (command,) = blocks("python", "my_agents.py"), blocks("sh", "own-agent")
    (tmp_path / "my_agents.py").write_text(code, encoding="utf-8")
    program, subcommand, *arguments = shlex.split(command)
    assert (program, subcommand) == ("baton", "dev")
    stack = new_stack(arguments=(*arguments, "--port", "0"))
    stack.working_folder = tmp_path
    ended = ended_job(stack.start(), submit(stack, "shopper"))
    assert ended["status"] == "completed", ended["error"]
    assert ended["result"]["answer"] == "A lamp and a lens cost 330."
    assert [call["result"] for call in ended["toolCalls"]] == [20, 310]
