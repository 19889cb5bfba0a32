"""`baton init`: what it writes, and what it refuses."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

import pytest
from click.testing import CliRunner, Result

from baton.sdk.distribution import DISTRIBUTION
from baton.server.app import SPECS
from baton_local.cli.project import init
from tests.architecture.source_files import ROOT

PROJECT = ROOT / "infra" / "baton_local" / "project"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(init, arguments, prog_name="baton init")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    done = run("my-agents")
    assert done.exit_code == 0, done.output
    return tmp_path / "my-agents"


def test_a_project_has_the_shape_that_pages_speak_of(made: Path) -> None:
    tops = {"pyproject.toml", "functions", "events", "infra", "tests", "serverless.yml", "README.md", "Makefile"}
    assert tops | {".gitignore", ".dockerignore", "Dockerfile"} <= {path.name for path in made.iterdir()}
    texts = {path: path.read_text("utf-8") for path in made.rglob("*") if path.is_file()}
    assert [path for path in texts if path.suffix == ".tmpl"] == []
    assert [path for path, text in texts.items() if re.search(r"\$(name|requirement)", text)] == []
    for path, text in texts.items():
        if path.suffix == ".py":
            compile(text, str(path), "exec")


def test_it_installs_the_baton_that_made_it(made: Path) -> None:
    project = tomllib.loads((made / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["name"] == "my-agents"
    (requirement,) = project["project"]["dependencies"]
    assert re.fullmatch(rf"{DISTRIBUTION}( @ file://.+|>=[\d.]+)", requirement)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--workflow",), marks=pytest.mark.long),
        pytest.param(("--code-mode",), marks=pytest.mark.long),
        ("--workflow", "--code-mode"),
        ("--openai", "--langgraph"),
    ],
)
def test_workflows_code_mode_and_libraries_are_there_where_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("mine", *options).exit_code == 0
    folder = tmp_path / "mine"
    (requirement,) = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    extras = {"--code-mode": "[code-mode]", "--openai": "[openai-agents,langgraph]"}
    assert requirement.startswith(DISTRIBUTION + next((extras[one] for one in options if one in extras), ""))
    clerks = ["openai-clerk", "langgraph-clerk"] if "--openai" in options else []
    code = (
        "import asyncio, sys; from baton.testing import Simulation; from functions.agents import registry;"
        " run = asyncio.run(Simulation(registry).run(sys.argv[1], 'x'));"
        " print(*(agent.name for agent in registry.agents), *(call['tool'] for call in run.calls))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, [*clerks, "assistant"][-1 - bool(clerks)]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    names = ["assistant", *clerks, *(["fulfil"] if "--workflow" in options else [])]
    calls = ["price"] if clerks else ["run_code", "share_of"] if "--code-mode" in options else ["share_of"]
    assert done.stdout.split() == [*names, *calls], done.stderr
    assert (folder / "tests" / "test_flows.py").exists() is ("--workflow" in options)


def test_the_deployed_functions_are_this_repository_s_own(made: Path) -> None:
    ours, theirs = (
        {file.name: file.read_text("utf-8") for file in (root / "functions" / "handlers").glob("*.py")}
        for root in (ROOT, made)
    )
    assert theirs == ours
    assert sorted(ours) == sorted([*(f"{spec.name.replace('-', '_')}.py" for spec in SPECS), "__init__.py", "site.py"])


def test_the_cloud_s_description_is_this_repository_s_own() -> None:
    """But for its name, its agents and the comment at its head: who changes one changes the other."""
    ours = (ROOT / "serverless.yml").read_text("utf-8").partition("service: baton\n")[2]
    theirs = Template((PROJECT / "serverless.yml.tmpl").read_text("utf-8")).substitute(name="baton")
    assert theirs.partition("service: baton\n")[2] == ours.replace("'baton.sdk.agents:", "'functions.agents:")


def test_the_container_s_description_is_this_repository_s_own(made: Path) -> None:
    ours, theirs = ((root / "Dockerfile").read_text("utf-8") for root in (ROOT, made))
    assert theirs == ours.replace("=baton.sdk.agents:", "=functions.agents:")
    assert (made / ".dockerignore").read_text("utf-8") == (ROOT / ".dockerignore").read_text("utf-8")


@pytest.mark.parametrize("status", [200, 503])
def test_the_container_s_health_check_asks_no_proxy(status: int) -> None:
    """It asks the app, whatever proxy is set and wherever it does not count."""

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Print nothing."""

    check = json.loads((ROOT / "Dockerfile").read_text("utf-8").partition("HEALTHCHECK CMD ")[2].partition("\n")[0])
    with ThreadingHTTPServer(("127.0.0.1", 0), App) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        port = str(server.server_address[1])
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            environment = {"PORT": port, name: "http://127.0.0.1:9", "NO_PROXY": "intranet.example"}
            done = subprocess.run(
                [sys.executable, *check[1:]], env=environment, capture_output=True, timeout=60, check=False
            )
            assert (done.returncode == 0) is (status == 200), done.stderr
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["My_agents", "1st", "a", "agents-", "ä-b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With the way out; nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = run(name)
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert f"{name!r} is no name: it takes small letters, digits and hyphens, as in my-agents" in done.output


def test_what_is_there_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert run("mine").exit_code == 0
    again = run("mine")
    assert again.exit_code == 2
    assert "mine exists and is not empty: choose another name" in again.output
    (tmp_path / "file").write_text("")
    assert run("file").exit_code == 2
