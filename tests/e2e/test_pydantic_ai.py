"""Agents of libraries on a real queue and a real Redis, whose process is killed in each of their pieces of work."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.dev_stack import wait_for

pytestmark = pytest.mark.e2e
SETTINGS = {"WORK_TIMEOUT_SECONDS": "2", "STREAM_BATCH_BYTES": "1"}


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def crash_in(app: Any, notes: Path, piece: str) -> None:
    """Kill -9 in the middle of what a note began, and start another process."""
    wait_for(lambda: any(line.startswith(piece) for line in lines(notes)), f"the beginning of {piece}", 90)
    time.sleep(0.2)
    crash(app)


def crash(app: Any) -> None:
    app.kill()
    app.start()


def approve(app: Any, job_id: str) -> None:
    app.wait(job_id, until="waiting", limit_seconds=90)
    [requested] = app.call("GET", f"/api/agent-jobs/{job_id}/checkpoints")["checkpoints"]
    assert (requested["tool"], requested["arguments"], requested["status"]) == ("book", {"euros": 120}, "pending")
    crash(app)
    app.call("POST", f"/api/admin/agent-checkpoints/{requested['id']}", {})


@pytest.mark.long
@pytest.mark.parametrize(
    ("agents", "name", "last", "output"),
    [
        ("pydantic_ai_agents", "planner", "model 3", {"city": "Ulm", "euros": 120}),
        ("library_planners", "openai-planner", "model 2", "booked"),
        ("library_planners", "langgraph-planner", "model 2", "booked"),
    ],
)
def test_a_run_survives_kill_9_in_each_kind_of_piece(
    agent_app: Any, tmp_path: Path, agents: str, name: str, last: str, output: Any
) -> None:
    """In a request, in two calls at once, while it waits for a person, in the approved call, in the last request."""
    notes = tmp_path / "notes"
    app = agent_app(f"tests.e2e.{agents}:registry", NOTES=str(notes), **SETTINGS)
    job_id = app.submit(name, "Plan a trip.", {"who": "Ann"})
    for piece in ("model 0", "begin train"):
        crash_in(app, notes, piece)
    approve(app, job_id)
    for piece in ("book", last):
        crash_in(app, notes, piece)
    job = app.wait(job_id, limit_seconds=120)
    assert job["status"] == "completed", job
    assert job["result"]["output"] == output
    calls = [(call["tool"], call["status"]) for call in job["toolCalls"] if call["tool"] != "final_result"]
    assert calls[:2] == [("price", "completed")] * 2
    assert set(calls[2:]) == {("book", "completed")}
    began = [line.split() for line in lines(notes) if line.startswith("begin")]
    assert len(began) > len({key for _, _, key in began}) == 2
    assert len({line for line in lines(notes) if line.startswith("book")}) == 1
    assert lines(notes).count("end hotel for Ann") >= 1


@pytest.mark.long
def test_a_sandbox_survives_kill_9_and_is_gone_after_its_job(agent_app: Any, tmp_path: Path) -> None:
    """In a call that works in it, in the request after it, and while it is destroyed."""
    notes, folders = tmp_path / "notes", tmp_path / "folders"
    app = agent_app("tests.e2e.pydantic_ai_agents:registry", NOTES=str(notes), **SETTINGS)
    job_id = app.submit("writer", "Write.")
    for piece in ("begin write 0", "model 1", "begin write 1", "destroy"):
        crash_in(app, notes, piece)
    job = app.wait(job_id, limit_seconds=120)
    assert (job["status"], job["result"]["output"]) == ("completed", "written")
    wait_for(lambda: not list(folders.iterdir()), "the end of the sandbox", 90)
    made = [line for line in lines(notes) if line.startswith("made")]
    assert made == [f"made {job_id}"]
    told = [call["result"] for call in app.call("GET", f"/api/agent-jobs/{job_id}")["toolCalls"]]
    assert told == ["0\n", "0\n1\n"]


def test_a_run_goes_through_real_queue_and_store(agent_app: Any, tmp_path: Path) -> None:
    """Its two calls at the same time."""
    notes = tmp_path / "notes"
    app = agent_app("tests.e2e.pydantic_ai_agents:registry", NOTES=str(notes))
    job_id = app.submit("planner", "Plan a trip.", {"who": "Ann"})
    approve(app, job_id)
    assert app.wait(job_id, limit_seconds=90)["result"]["output"] == {"city": "Ulm", "euros": 120}
    first = [line.split()[0] for line in lines(notes) if line.split()[0] in ("begin", "end")]
    assert first == ["begin", "begin", "end", "end"]


@pytest.mark.long
def test_a_reader_has_a_text_before_its_turn_ends(agent_app: Any, tmp_path: Path) -> None:
    """The model says the rest only once the beginning was read."""
    app = agent_app("tests.e2e.pydantic_ai_agents:registry", NOTES=str(tmp_path / "notes"), **SETTINGS)
    job_id = app.submit("teller", "Tell a story.")
    url, headers = f"{app.url}/api/agent-jobs/{job_id}/stream", {"authorization": f"Bearer {app.key}"}
    with httpx.stream("GET", url, headers=headers, timeout=90) as answer:
        parts = (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: {"))
        deltas = (part["delta"] for part in parts if part["type"] == "text-delta")
        assert next(deltas) == "Once upon "
        (tmp_path / "heard").touch()
        assert "".join(deltas) == "a time."
    assert app.wait(job_id)["result"] == {"answer": "Once upon a time.", "output": "Once upon a time."}
