"""`baton replay`: where recordings come from, what is printed, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
import respx
from click.testing import CliRunner, Result

from baton_local.cli.main import main
from tests.unit.baton_local.replay.recorder import recorded
from tests.unit.baton_local.replay.sample_agents import registry_of

registry = registry_of()
changed = registry_of(instructions="Other ones.")

APP = "tests.unit.baton_local.cli.test_replay:registry"
URL = "https://fn.example.com"


def replay(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", *arguments])


@pytest.fixture
async def document() -> dict[str, Any]:
    return await recorded(registry, "loop")


@pytest.fixture
def file(tmp_path: Path, document: dict[str, Any]) -> str:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def test_a_run_is_one_line_or_its_first_difference(file: str) -> None:
    done = replay(file, "--offline", "--app", APP)
    summary = "(agent loop): 4 turns and 6 tool calls, played without a difference"
    assert (done.exit_code, done.output.count("\n")) == (0, 1)
    assert summary in done.output
    done = replay(file, "--offline", "--app", APP.replace("registry", "changed"))
    assert done.exit_code == 1
    assert "The first difference: job job_token" in done.output
    assert "+Other ones." in done.output


def test_a_recording_may_have_the_mark_of_utf_8(file: str) -> None:
    path = Path(file)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert replay(file, "--offline", "--app", APP).exit_code == 0
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    done = replay(file, "--offline", "--app", APP)
    assert (done.exit_code, "cannot be read: it is in UTF-16" in " ".join(done.output.split())) == (1, True)


def test_the_application_is_the_settings_unless_it_is_named(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`BATON_APP`; the samples do not have this agent, and the message says what to do."""
    monkeypatch.setenv("BATON_APP", APP)
    assert replay(file, "--offline").exit_code == 0
    monkeypatch.delenv("BATON_APP")
    done = replay(file, "--offline")
    assert done.exit_code == 1
    assert "unknown agent 'loop'" in done.output
    assert "--app MODULE:ATTR" in done.output


@respx.mock
def test_a_jobs_recording_is_fetched_and_saved(document: dict[str, Any], tmp_path: Path) -> None:
    route = respx.get(f"{URL}/api/agent-jobs/job_1/recording").respond(json=document)
    saved = str(tmp_path / "saved.json")
    done = replay("job_1", "--offline", "--url", f"{URL}/", "--key", "k", "--app", APP, "--save", saved)
    assert done.exit_code == 0, done.output
    assert route.calls.last.request.headers["authorization"] == "Bearer k"
    assert f"saved: {saved}" in done.output
    assert replay(saved, "--offline", "--app", APP).exit_code == 0


@respx.mock
def test_the_local_stack_is_found_by_its_file(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(json.dumps({"app_url": URL, "admin_key": "of-the-stack"}), encoding="utf-8")
    route = respx.get(f"{URL}/api/agent-jobs/job_1/recording").respond(json=document)
    assert replay("job_1", "--offline", "--data", str(tmp_path), "--app", APP).exit_code == 0
    assert route.calls.last.request.headers["authorization"] == "Bearer of-the-stack"


@respx.mock
@pytest.mark.parametrize(("answer", "why"), [(502, "answered 502: hello"), (200, "job job_1 is not JSON")])
def test_an_api_that_answers_otherwise_is_quoted(answer: int, why: str) -> None:
    respx.get(f"{URL}/api/agent-jobs/job_1/recording").respond(answer, text="hello")
    done = replay("job_1", "--offline", "--url", URL, "--key", "k", "--app", APP)
    assert (done.exit_code, why in done.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["job_1", "--offline", "--url", URL], "--url needs a key"),
        (["no/such/file.json", "--offline"], "there is no file 'no/such/file.json'"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead."""
    monkeypatch.delenv("BATON_API_KEY", raising=False)
    done = replay(*arguments)
    assert done.exit_code == 2
    assert why in done.output


def test_no_stack_no_application_and_no_place_are_shown(tmp_path: Path, file: str) -> None:
    none = replay("job_1", "--offline", "--data", str(tmp_path), "--app", APP)
    assert (none.exit_code, "dev.json: start `baton dev" in none.output) == (1, True)
    (tmp_path / "dev.json").write_text("{}", encoding="utf-8")
    assert "cannot be read" in replay("job_1", "--offline", "--data", str(tmp_path), "--app", APP).output
    unwritable = replay(file, "--offline", "--app", APP, "--save", str(tmp_path / "none" / "saved.json"))
    assert (unwritable.exit_code, "the recording cannot be saved" in unwritable.output) == (1, True)
    gone = replay(file, "--offline", "--app", "no_such_module:registry")
    assert (gone.exit_code, "there is no module 'no_such_module'" in gone.output) == (1, True)
