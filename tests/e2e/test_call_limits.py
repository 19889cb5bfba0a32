"""Limits of calls on the real local stack: they hold over a kill, and each call is made."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.conftest import stacks
from tests.e2e.dev_stack import QUICK_RECOVERY, wait_for

pytestmark = pytest.mark.e2e
JOBS, CALLS, IN_FLIGHT = 3, 3, 2  # as tests.e2e.limited_agents has them


class Note(NamedTuple):
    word: str
    call_id: str
    pid: int


def noted(path: Path) -> list[Note]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [Note(word, call_id, int(pid)) for word, call_id, pid in map(str.split, lines)]


def in_flight(notes: list[Note], killed_pid: int) -> int:
    """How many calls ran at once at most; those of a killed process are over when another one begins something."""
    running: set[tuple[str, int]] = set()
    most = 0
    for note in notes:
        if note.pid != killed_pid:
            running = {each for each in running if each[1] != killed_pid}
        if note.word == "begin":
            running.add((note.call_id, note.pid))
        else:
            running.discard((note.call_id, note.pid))
        most = max(most, len(running))
    return most


def test_limits_hold_over_a_kill(tmp_path: Path) -> None:
    """Kill -9 while both places are taken: never more run at once, each call is made, and none counts an attempt more.

    A call whose process died keeps its place, and starts again in it.
    """
    notes = tmp_path / "notes"
    with stacks(tmp_path) as make:
        stack = make(None, ("--port", "0", "--app", "tests.e2e.limited_agents:registry"))
        stack.working_folder = Path(__file__).parents[2]
        stack.environment = {**QUICK_RECOVERY, "WORK_TIMEOUT_SECONDS": "5", "NOTES": str(notes)}
        stack.start()
        body = {"jobType": "clerk", "taskDescription": "Sign."}
        jobs = [f"/api/agent-jobs/{stack.request('POST', '/api/agent-jobs', json=body)['id']}" for _ in range(JOBS)]

        def both_run() -> bool:
            words = Counter(note.word for note in noted(notes))
            return words["end"] > 0 and words["begin"] - words["end"] == IN_FLIGHT

        wait_for(both_run, "two calls at once")
        killed_pid = stack.kill("app")
        died = len(noted(notes))
        stack.wait_until_back("app", killed_pid)
        wait_for(lambda: all(stack.request("GET", job)["status"] == "completed" for job in jobs), "the end of all")
        calls = [call for job in jobs for call in stack.request("GET", job)["toolCalls"]]
    found = noted(notes)
    assert in_flight(found, killed_pid) == IN_FLIGHT
    assert Counter(call["status"] for call in calls) == {"completed": JOBS * CALLS}
    begun = Counter(note.call_id for note in found if note.word == "begin")
    assert len(begun) == JOBS * CALLS
    before = {word: {note.call_id for note in found[:died] if note.word == word} for word in ("begin", "end")}
    assert {call_id for call_id, count in begun.items() if count > 1} == before["begin"] - before["end"]
