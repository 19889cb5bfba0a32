"""The npm package on the real local stack: the program of docs/clients.md, compiled and run."""

from pathlib import Path

import pytest

from tests.docs.fence import fences_in
from tests.e2e.dev_stack import DevStack
from tests.npm_client import TypeScriptProject

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.long]
ARGUMENTS = "declare const process: any;\nconst [url, key, adminKey]: string[] = process.argv.slice(2);\n"


def test_the_pages_program_runs(tmp_path: Path) -> None:
    """Against the agent of the page: it is submitted, followed, approved, read, followed again from a part, refused."""
    fences = fences_in("docs/clients.md")
    (agents,) = [fence.text for fence in fences if fence.option("file") == "agents.py"]
    (tmp_path / "agents.py").write_text(agents, encoding="utf-8")
    program = ARGUMENTS + "".join(fence.text for fence in fences if fence.language == "ts")
    stack = DevStack(tmp_path / "data", arguments=("--port", "0", "--app", "agents:registry"), working_folder=tmp_path)
    with stack.running():
        access = (stack.described[name] for name in ("app_url", "client_key", "admin_key"))
        printed = TypeScriptProject(tmp_path).run(program, *access)
    first, *parts, last = printed.splitlines()
    assert (first, last) == ("completed paid Grace back", "422 jobType")
    assert "start" not in parts
    assert parts[-1] == "finish"
