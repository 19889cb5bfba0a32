"""Steps of a plan: which comes after which, and what follows from one that fails."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.state import State
from baton.engine.step_results import ModelAnswered, Started
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, blocked
from baton.sdk.records.transcript import OnFailure, Wanted
from tests.unit.baton.engine.sample_state import (
    FOR_GOOD,
    NOW_MS,
    call_record,
    call_state,
    changes_of,
    decoded,
    error_of,
    job_of,
    turn_state,
    types_of,
)

DIAMOND = (
    Wanted("read", {"n": 1}, step="a"),
    Wanted("read", {"n": 2}, step="b", depends_on=("a",)),
    Wanted("read", {"n": 3}, step="c", depends_on=("a",), on_failure="skip"),
)


def planned(*wanted: Wanted) -> Changes:
    limits = replace(turn_state().job.limits, tool_calls=50)
    state = turn_state(structs.replace(turn_state().job, limits=limits))
    answer = ModelAnswered("my plan", wanted, plan=True, reflection="so far so good")
    return changes_of(decide(state, answer, NOW_MS))


def test_a_step_waits_for_those_before_it_and_knows_those_after_it() -> None:
    """Directly before, and all after: the last step of a diamond comes after every other."""
    changes = planned(*DIAMOND, Wanted("sum", {}, step="d", depends_on=("b", "c")))
    a, b, c, d = changes.calls
    assert (a.after, b.after, d.after) == ({}, {"a": a.id}, {"b": b.id, "c": c.id})
    assert set(a.dependants) == {b.id, c.id, d.id}
    assert (b.dependants, d.dependants) == ((d.id,), ())
    assert [item.after for item in changes.items] == ["", a.id, a.id, f"{b.id},{c.id}"]
    assert [blocked(item, changes.items) for item in changes.items] == [False, True, True, True]
    assert not blocked(changes.items[1], changes.items[1:])


def test_the_stream_shows_the_plan_and_what_its_maker_thinks() -> None:
    parts = decoded(planned(*DIAMOND).parts)
    (plan,) = (part["data"] for part in parts if part["type"] == "data-plan-created")
    shown = [(step["step"], step["dependsOn"], step["onFailure"]) for step in plan["steps"]]
    assert shown == [("a", [], ""), ("b", ["a"], ""), ("c", ["a"], "skip")]
    (reflection,) = (part["data"] for part in parts if part["type"] == "data-reflection")
    assert reflection == {"turn": 2, "text": "so far so good"}


def test_a_failed_step_fails_the_job() -> None:
    changes = gives_up("fail")
    error = error_of(changes)
    assert (job_of(changes).status, changes.ends) == (JobStatus.FAILED, True)
    assert (error.type, error.message) == ("step_failed", "step 'a' failed: it broke")
    assert "error" in changes.results[call_record().id]


def gives_up(on_failure: OnFailure, dependant: CallStatus = CallStatus.QUEUED) -> Changes:
    """A step without attempts left, after which another one comes."""
    after = structs.replace(call_record(dependant), id="job_1-2-1-bbbbbbbbbb", position=1, step="b")
    record = structs.replace(
        call_record(CallStatus.RETRYING), error=FOR_GOOD, step="a", on_failure=on_failure, dependants=(after.id,)
    )
    state: State = structs.replace(call_state(ItemKind.FAILED, record), dependants=(after,))
    return changes_of(decide(state, Started(), NOW_MS))


@pytest.mark.parametrize("on_failure", ["skip", "replan"])
def test_what_comes_after_a_failed_step_is_skipped(on_failure: OnFailure) -> None:
    """But for what was skipped before: two steps before it failed."""
    changes = gives_up(on_failure)
    assert [(call.step, call.status) for call in changes.calls] == [("a", CallStatus.FAILED)]
    (skip,) = changes.skips
    assert (skip.item_key, skip.record.status) == ("call:job_1-2-1-bbbbbbbbbb:1", CallStatus.CANCELLED)
    assert json.loads(skip.result)["error"]["type"] == "skipped"
    assert changes.join is not None
    shown = decoded((*changes.parts, *skip.parts))
    completed = [part["data"] for part in shown if part["type"] == "data-step-completed"]
    assert [(data["step"], data["status"]) for data in completed] == [("a", "failed"), ("b", "cancelled")]
    assert gives_up(on_failure, CallStatus.CANCELLED).skips == ()


def test_what_comes_after_may_go_on_with_the_error() -> None:
    changes = gives_up("continue")
    assert (changes.skips, changes.ends) == ((), False)
    assert "data-step-completed" in types_of(changes.parts)
