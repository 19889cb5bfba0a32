"""`baton gate`: stored jobs run again and are scored; what is printed, and how it ends."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import respx
import yaml
from click.testing import CliRunner, Result

from baton_local.cli.main import main
from baton_local.gate import CaseRun
from tests.unit.baton_local.cli.api import JOB, URL, sent
from tests.unit.baton_local.replay.recorder import recorded
from tests.unit.baton_local.replay.sample_agents import registry_of

registry = registry_of()
APP, HERE = "tests.unit.baton_local.cli.test_gate:registry", "tests.unit.baton_local.cli.test_gate"
JOBS = f"{URL}/api/agent-jobs"


def long_enough(run: CaseRun) -> float:
    return min(1.0, len(run.answer) / 4) if run.tool_calls else 0.0


async def agrees(run: CaseRun) -> bool:
    return bool(run.answer == run.recorded_answer)


def gate(folder: Path, cases: list[dict[str, Any]], *arguments: str, **fields: Any) -> Result:
    path = folder / "gate.yaml"
    path.write_text(yaml.safe_dump({"cases": cases, **fields}), encoding="utf-8")
    return CliRunner().invoke(main, ["gate", str(path), *arguments])


def scorer(kind: str, value: Any, **fields: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, "value": value, **fields}


@pytest.fixture
async def stored(tmp_path: Path) -> tuple[str, str]:
    document, path = await recorded(registry, "loop"), tmp_path / "run.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path), document["job"]["result"]["answer"]


def test_stored_answers_are_scored_offline(stored: tuple[str, str], tmp_path: Path) -> None:
    """Without a deployment; each score has a line, and a test case in JUnit's XML."""
    file, answer = stored
    scorers = [
        *(scorer("exact", answer), scorer("contains", answer[:3]), scorer("schema", {"type": "string"})),
        *(scorer("python", f"{HERE}:long_enough", min=0.5), scorer("python", f"{HERE}:agrees")),
    ]
    done = gate(tmp_path, [{"name": "right", "job": file, "scorers": scorers}], "--app", APP)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "5 scores, all high enough")
    low = [scorer("exact", "else"), scorer("schema", {"type": "object"}), scorer("contains", "never said")]
    report = tmp_path / "report.xml"
    cases = [{"name": "wrong", "job": file, "scorers": low}]
    done = gate(tmp_path, cases, "--app", APP, "--junit", str(report))
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "3 of 3 scores too low")
    assert f"wrong, exact: it answers {answer}" in done.output
    assert "is not of type 'object'" in done.output
    suite = ET.fromstring(report.read_text())
    assert (suite.get("tests"), suite.get("failures"), len(suite.findall(".//failure"))) == ("3", "3", 3)


@respx.mock
def test_online_cases_are_forks_that_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for an approval of a call that is not recorded is cancelled, and scores nothing."""
    monkeypatch.setattr("baton_local.gate._LOOK_SECONDS", 0.0)
    job = {**JOB, "inputData": {}}
    fork = respx.post(f"{JOBS}/job_1/fork").respond(202, json={**job, "id": "job_2"})
    respx.get(f"{JOBS}/job_1").respond(json=job)
    ended = respx.get(f"{JOBS}/job_2")
    ended.side_effect = [respx.MockResponse(json={**job, "status": s}) for s in ("processing", "completed")]
    cases = [{"name": "again", "job": "job_1", "scorers": [scorer("exact", "42")]}]
    place = ("--url", URL, "--key", "k")
    score = respx.post(f"{JOBS}/job_2/scores").respond(201, json={})
    assert gate(tmp_path, cases, *place, "--record", mode="online").exit_code == 0
    assert sent(score.calls[0]) == {"name": "exact", "value": 1, "comment": ""}
    assert sent(fork.calls[0]) == {"turn": 1, "toolsRun": "recorded"}
    ended.side_effect = None
    ended.respond(json={**job, "status": "waiting"})
    checkpoint = {"status": "pending", "tool": "pay"}
    respx.get(f"{JOBS}/job_2/checkpoints").respond(json={"checkpoints": [checkpoint]})
    cancel = respx.patch(f"{JOBS}/job_2").respond(json={**job, "status": "cancelled", "result": None})
    done = gate(tmp_path, cases, *place, mode="online")
    assert (done.exit_code, cancel.called) == (1, True)
    assert "tool 'pay' needs an approval" in done.output


def test_a_judge_is_pydantic_evals(stored: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed; else the message says how to install it."""
    cases = [{"name": "judged", "job": stored[0], "scorers": [scorer("judge", "Is it polite?", min=0.5, model="m")]}]
    module = "pydantic_evals.evaluators.llm_as_a_judge"
    monkeypatch.setitem(sys.modules, module, None)
    done = gate(tmp_path, cases, "--app", APP)
    assert (done.exit_code, "pip install pydantic-evals" in done.output) == (1, True)
    asked: list[Any] = []

    async def judge(*given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(score=0.4, reason="rude")

    judging: Any = ModuleType(module)
    judging.judge_input_output = judge
    monkeypatch.setitem(sys.modules, module, judging)
    done = gate(tmp_path, cases, "--app", APP)
    assert (done.exit_code, "judged, judge: rude" in done.output) == (1, True)
    assert asked[0][1:] == (stored[1], "Is it polite?", "m")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cases: []", "cases: Tuple should have at least 1 item"),
        ("mode: both", "mode: Input should be 'offline' or 'online'"),
        ("a: [", "is not YAML"),
        ("cases: [{name: a, job: b, scorers: [{name: c, type: python, value: d}]}]", "MODULE:FUNCTION, got 'd'"),
        ("cases: [{name: a, job: b, scorers: [{name: c, type: schema, value: {type: 7}}]}]", "no JSON schema"),
        ("cases: [{name: a, job: b, scorers: [{name: c, type: exact, value: 1, min: 2}]}]", "less than or equal to 1"),
        ("cases: [{name: a, job: b, scorers: [{name: c, type: exact, value: 1, model: m}]}]", "only a judge"),
    ],
)
def test_a_wrong_file_is_wrong_use(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["gate", str(path)])
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("job", "value", "why"),
    [
        ("no-such.json", f"{HERE}:agrees", "case 'lost'"),
        ("", f"{HERE}:nobody", "cannot be imported"),
        ("", f"{HERE}:gate_of", "cannot be imported"),
        ("", "builtins:repr", "return a number from 0 to 1"),
    ],
)
def test_what_cannot_be_run_or_scored_is_said(
    stored: tuple[str, str], tmp_path: Path, job: str, value: str, why: str
) -> None:
    cases = [{"name": "lost", "job": job or stored[0], "scorers": [scorer("python", value)]}]
    done = gate(tmp_path, cases, "--app", APP, "--data", str(tmp_path))
    assert done.exit_code == 1
    assert why in done.output
