"""Serving the product with a user's own folder on the import path."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from baton_local.dev import app_server
from baton_local.dev.environment import inherited_environment
from baton_local.dev.part_log import TRACEBACK, ShownLines


def serve(folder: Path, registry: str, **settings: str) -> subprocess.CompletedProcess[str]:
    options = ("--app-dir", str(folder), "--registry", registry)
    command = (sys.executable, "-P", "-m", "baton_local.dev.app_server", *options)
    environment = inherited_environment()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, env=environment | settings, capture_output=True, text=True, check=False, timeout=180)


def test_agents_that_are_not_there_end_it_for_good(tmp_path: Path) -> None:
    """The exit code says that trying again is useless; the last line says why."""
    done = serve(tmp_path, "nowhere:registry")
    assert done.returncode == os.EX_CONFIG
    assert "there is no module 'nowhere'" in done.stderr.splitlines()[-1]
    assert TRACEBACK not in done.stderr


def test_a_fault_in_the_users_own_module_is_shown_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("registry = 1 / 0\n")
    done = serve(tmp_path, "mine:registry")
    assert done.returncode == os.EX_CONFIG
    assert "mine.py" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.startswith(TRACEBACK)
    # No bytecode is kept, else two saves within a second are one to Python, if the file's size is the same.
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_a_line_that_is_no_python_is_shown(tmp_path: Path) -> None:
    """As a traceback, by whose head the screen knows it; Python has none for such an error."""
    (tmp_path / "mine.py").write_text("x = 1\ndef broken(:\n")
    done = serve(tmp_path, "mine:registry")
    assert done.returncode == os.EX_CONFIG
    shown = ShownLines().pick(done.stderr.splitlines())
    assert "    def broken(:" in shown
    assert "SyntaxError: invalid syntax" in shown
    assert "raised SyntaxError: invalid syntax (mine.py, line 2)" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("settings", [pytest.param({}, marks=pytest.mark.long), {"CONTINUATION": "inlne"}])
def test_wrong_settings_are_lines_without_a_traceback(tmp_path: Path, settings: dict[str, str]) -> None:
    """And the exit code says that trying again is useless."""
    (tmp_path / "mine.py").write_text("from baton import Registry\nregistry = Registry([])\n")
    done = serve(tmp_path, "mine:registry", **settings)
    assert done.returncode == os.EX_CONFIG
    assert "Traceback" not in done.stderr
    assert done.stderr.count("inlne") == len(settings)
    assert "QSTASH_TOKEN" in done.stderr


@pytest.mark.parametrize(("model", "is_loaded"), [("openai:gpt-5-mini", True), ("demo", False)])
def test_what_calls_providers_is_loaded_before_the_first_call(
    model: str, is_loaded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread, and only for agents that need it: it takes seconds."""
    name = f"agents_of_{model[:4]}"
    (tmp_path / f"{name}.py").write_text(
        f"from baton import Agent, Registry\nregistry = Registry([Agent('a', model={model!r})])\n"
    )
    (tmp_path / f"{name}_providers.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(app_server, "PROVIDERS", f"{name}_providers")
    app_server.check_registry(f"{name}:registry")
    for thread in [each for each in threading.enumerate() if each.name == app_server.LOADER]:
        thread.join()
    assert (f"{name}_providers" in sys.modules) is is_loaded


def test_a_queue_that_takes_nothing_is_a_line_on_the_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The app serves all the same."""
    monkeypatch.setattr(app_server, "QUEUE_SECONDS", 0.0)
    nowhere = "http://127.0.0.1:9"
    app_server.register({"QSTASH_URL": nowhere, "QSTASH_TOKEN": "token", "WORKER_BASE_URL": nowhere})
    (shown,) = ShownLines().pick(capsys.readouterr().out.splitlines())
    assert "the queue did not take its topics and the hourly sweep: no answer" in shown


def test_a_tool_without_a_docstring_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler's is not: no model reads it."""
    told = "@tool\ndef told() -> None:\n    'Tell.'\n@tool\ndef bare() -> None:\n    pass\n"
    handler = "@on('a.b')\nasync def handle(event, ctx) -> None:\n    pass\n"
    made = "registry = Registry([Agent('a', 'demo', tools=[told, bare])], handlers=[handle])\n"
    code = f"from baton import Agent, Registry, on, tool\n{told}{handler}{made}"
    (tmp_path / "agents_without_words.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    app_server.check_registry("agents_without_words:registry")
    assert capsys.readouterr().out == (
        "tool 'bare' has no docstring: its model is sent the name and the arguments alone\n"
    )


@pytest.mark.parametrize(
    ("model", "budget", "is_named"),
    [
        ("openai:gpt-5-mini", "usd=5", False),
        ("openai:a-model-of-tomorrow", "tokens=5", False),
        ("openai:a-model-of-tomorrow", "usd=5", True),
    ],
)
def test_a_budget_in_dollars_that_a_model_without_a_price_never_fills_is_named(
    model: str,
    budget: str,
    is_named: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"agents_with_{budget[:3]}_{model[-4:]}"
    agent = f"Agent('a', {model!r}, budgets=[Budget('k', {budget})])"
    (tmp_path / f"{name}.py").write_text(f"from baton import Agent, Budget, Registry\nregistry = Registry([{agent}])\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(app_server, "PROVIDERS", "json")
    app_server.check_registry(f"{name}:registry")
    assert (f"agent 'a' has a budget in dollars, and {model} no list price" in capsys.readouterr().out) is is_named


@pytest.mark.parametrize("name", ["functions", pytest.param("events", marks=pytest.mark.long)])
def test_a_users_folder_of_the_same_name_does_not_hide_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "mine.py").write_text("from baton import Agent\nregistry = Agent\n")
    done = serve(tmp_path, "mine:registry")
    assert "the wrong one" not in done.stderr
    assert "not a Registry" in done.stderr
