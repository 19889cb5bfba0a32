"""`baton fork` and `baton diff` against an API that a test answers for."""

from collections.abc import Iterator
from typing import Any

import pytest
import respx

from tests.unit.baton_local.cli.api import JOB, URL, baton, problem, sent

JOBS = f"{URL}/api/agent-jobs"


@pytest.fixture(autouse=True)
def api() -> Iterator[respx.MockRouter]:
    """Nothing is asked of anybody else."""
    with respx.mock(assert_all_called=False) as router:
        yield router


def test_a_fork_sends_what_was_given(api: respx.MockRouter) -> None:
    route = api.post(f"{JOBS}/job_0/fork").respond(202, json=JOB)
    done = baton("fork", "job_0", "--turn", "2", "--edits", '{"model": "demo"}', "--tools", "again")
    assert (done.exit_code, done.output) == (0, "job_1\n")
    assert sent(route.calls[0]) == {"turn": 2, "toolsRun": "again", "edits": {"model": "demo"}}
    route.mock(return_value=problem(409, "job 'job_0' is pending: only a job that has ended can be forked"))
    refused = baton("fork", "job_0", "--turn", "2")
    assert refused.exit_code == 1
    assert "only a job that has ended" in refused.output


def test_what_is_the_same_is_shown_once(api: respx.MockRouter) -> None:
    """What differs has a line for each side, a turn that one side lacks for one."""

    def turn(*calls: dict[str, Any], text: str = "") -> dict[str, Any]:
        return {"text": text, "calls": calls}

    found = {"tool": "look", "arguments": {"at": 1}, "result": "x"}
    lost = {"tool": "look", "arguments": {"at": 1}, "error": {"type": "Lost", "message": "gone"}}
    turns = [
        {"turn": 1, "change": "same", "left": turn(found), "right": turn(found)},
        {"turn": 2, "change": "changed", "left": turn(found), "right": turn(lost)},
        {"turn": 3, "change": "added", "left": None, "right": turn(text="done")},
    ]
    document = {"left": JOB, "right": {**JOB, "id": "job_2"}, "turns": turns}
    api.get(f"{JOBS}/job_1/diff/job_2").respond(200, json=document)
    assert baton("diff", "job_1", "job_2").output.splitlines() == [
        *("- job_1  completed, 2 turns, $0.000200", "+ job_2  completed, 2 turns, $0.000200"),
        *("turn 1: same", '    look {"at": 1} → x'),
        *("turn 2: changed", '  - look {"at": 1} → x', '  + look {"at": 1} → gone'),
        *("turn 3: added", "  + done", "end: same", "    42"),
    ]


@pytest.mark.parametrize(("text", "value"), [("-0.5", -0.5), ("true", True)])
def test_a_score_is_sent(api: respx.MockRouter, text: str, value: float) -> None:
    route = api.post(f"{URL}/api/agent-jobs/job_1/scores").respond(201, json={})
    done = baton("score", "job_1", "helpful", text, "--comment", "It guesses.")
    assert done.exit_code == 0, done.output
    assert sent(route.calls[0]) == {"name": "helpful", "value": value, "comment": "It guesses."}
    assert baton("score", "job_1", "helpful", "very").exit_code == 2
