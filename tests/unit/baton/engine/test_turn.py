"""What a turn decides."""

from dataclasses import replace as dataclass_replace
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.decide import decide, submit
from baton.engine.effects import CallModel, Changes, Decision, RequestSlot
from baton.engine.lifecycle import first_slot_state
from baton.engine.state import Job, State
from baton.engine.step_results import Admitted, ModelAnswered, ModelFailed, Started, Submitted, Superseded
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import loop_item, slot_request_item, turn_group
from baton.sdk.records.limits import Limits, Used
from baton.sdk.records.transcript import Failure, Wanted
from baton_events.ids import call_id
from tests.unit.baton.engine.sample_state import (
    CLAIMED_MS,
    FAILURE,
    FOR_GOOD,
    JOB,
    NOW_MS,
    changes_of,
    claimed,
    decoded,
    error_of,
    job_of,
    outcomes,
    turn_state,
    types_of,
)

READ, WRITE = Wanted("read_file", {"path": "a"}, retries=2), Wanted("write_file", {"path": "b"})
UNKNOWN = Wanted("fly", {}, Failure("unknown_tool", "there is no tool 'fly'"))
NEW = Job("job_1", "session_1", "tenant_1", "agent_1", NOW_MS)


def test_a_start_that_came_meanwhile_is_a_later_update() -> None:
    """A job for later wants no slot yet. Told again after its start, the request epoch of the second counts."""
    later = replace(NEW, start_at_ms=NOW_MS + 3_600_000)
    changes = changes_of(submit(Submitted(later, {}, slot=True), NOW_MS))
    assert changes.items == (loop_item("job_1", 1, 1, NOW_MS, NOW_MS + 3_600_000),)
    assert changes.slot_state == SlotState("none", 0, slot=False)
    before, after = first_slot_state(later, NOW_MS), first_slot_state(later, NOW_MS + 3_600_000)
    assert (before.want, after.want) == ("none", "slot")
    assert after.epoch > before.epoch


def test_a_turn_that_starts_asks_the_model() -> None:
    """It is told whether the turn has begun before: by an attempt that failed, or a process that died."""
    again = CallModel(JOB, 2, 2, again=True)
    assert decide(turn_state(attempt=2), Started(), NOW_MS) == Decision(effects=(again,))
    state = turn_state()
    assert decide(state, Started(), NOW_MS).effects == (CallModel(JOB, 2, 1),)
    died = replace(state, item=replace(state.item, lost=1))
    assert decide(died, Started(), NOW_MS).effects == (CallModel(JOB, 2, 1, again=True, lost=1),)


@pytest.mark.parametrize("want", ["slot", "none", "gone"])
def test_a_slot_request_that_starts_asks_the_admission(want: str) -> None:
    state = State(JOB, claimed(slot_request_item("job_1", want, 77, NOW_MS)))
    [effect] = decide(state, Started(), NOW_MS).effects
    assert isinstance(effect, RequestSlot)
    assert (effect.job, effect.want, effect.epoch) == (JOB, want, 77)


def test_a_slot_request_that_was_received_is_granted_by_the_commit() -> None:
    """One that was not is made again above what the admission knows."""
    assert decide(turn_state(), Admitted(), NOW_MS) == Decision(Changes(admitted=True))
    assert decide(turn_state(), Superseded(7), NOW_MS) == Decision(Changes(later_epoch=7))


@pytest.mark.parametrize(
    ("limits", "used", "limit"),
    [
        (Limits(turns=1), Used(turns=1), "turns"),
        (Limits(tokens=10), Used(input_tokens=9, output_tokens=1), "tokens"),
        (Limits(cost_usd=0.5), Used(cost_usd=0.5), "cost_usd"),
        (Limits(wall_seconds=10), Used(), "wall_seconds"),
    ],
)
def test_a_limit_ends_the_job_before_another_turn_with_the_best_answer_so_far(
    limits: Limits, used: Used, limit: str
) -> None:
    decision = decide(turn_state(replace(JOB, limits=limits, used=used)), Started(), NOW_MS)
    job = job_of(decision)
    assert changes_of(decision).ends
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "so far", "stoppedBy": limit})
    assert job.finished_at_ms == NOW_MS
    failing = dataclass_replace(limits, on_limit="fail")
    job = job_of(decide(turn_state(replace(JOB, limits=failing, used=used)), Started(), NOW_MS))
    assert (job.status, error_of(job).type) == (JobStatus.FAILED, "limit_exceeded")
    assert error_of(job).message.startswith(f"the limit {limit}=")


def test_an_answer_without_calls_completes_the_job() -> None:
    """A structured one stands beside the text; input tokens from a provider's cache are counted apart as well."""
    decision = decide(turn_state(), ModelAnswered("It is 42.", (), 100, 20, 0.25), NOW_MS)
    job = job_of(decision)
    assert changes_of(decision).ends
    assert (job.status, job.result, job.error) == (JobStatus.COMPLETED, {"answer": "It is 42."}, None)
    assert job.used == Used(turns=2, tool_calls=1, input_tokens=110, output_tokens=25, cost_usd=0.35, model_calls=1)
    shown: dict[str, Any] = {"role": "model", "v": 1, "turn": 2, "text": "It is 42.", "calls": []}
    shown["usage"] = {"inputTokens": 100, "outputTokens": 20, "costUsd": 0.25}
    assert decoded(changes_of(decision).transcript) == [shown]
    said = ["text-start", "text-delta", "text-end"]
    before, after = ["finish-step", "start-step", "data-usage"], ["finish-step", "data-event", "finish"]
    assert types_of(changes_of(decision).parts) == [*before, *said, *after]
    step_result = ModelAnswered("42", (), 100, 20, cached_input_tokens=64, output={"number": 42})
    job = job_of(decide(turn_state(), step_result, NOW_MS))
    assert job.result == {"answer": "42", "output": {"number": 42}}
    assert (job.used.input_tokens, job.used.cached_input_tokens) == (110, 64)


def test_the_first_turn_that_answers_completes_a_pending_job() -> None:
    """It never was seen processing; when it was claimed is when it started."""
    job = job_of(decide(turn_state(replace(NEW, turn=1)), ModelAnswered("done"), NOW_MS))
    assert (job.status, job.started_at_ms) == (JobStatus.COMPLETED, CLAIMED_MS)


def test_an_answer_with_calls_makes_an_item_and_a_record_of_each() -> None:
    """The job goes on with what was streamed and used; a turn that says nothing keeps the best answer."""
    decision = decide(turn_state(), ModelAnswered("I look.", (READ, WRITE), 100, 20, 0.25), NOW_MS)
    changes, job = changes_of(decision), job_of(decision)
    assert [item.key for item in changes.items] == [f"call:{record.id}:1" for record in changes.calls]
    assert {item.group for item in changes.items} == {turn_group("job_1", 2)}
    assert [(c.tool, c.arguments, c.status, c.retries, c.position) for c in changes.calls] == [
        ("read_file", {"path": "a"}, CallStatus.QUEUED, 2, 0),
        ("write_file", {"path": "b"}, CallStatus.QUEUED, 0, 1),
    ]
    assert changes.calls[0].id == call_id("job_1", 2, 0, "read_file", {"path": "a"})
    assert (changes.ends, changes.join) == (False, None)
    assert (job.status, job.turn, job.best_answer) == (JobStatus.PROCESSING, 2, "I look.")
    assert (job.used.turns, job.used.tool_calls) == (2, 3)
    assert job_of(decide(turn_state(), ModelAnswered("", (READ,)), NOW_MS)).best_answer == "so far"


def test_a_call_that_cannot_run_is_answered_at_once_and_the_others_run() -> None:
    """Where none of a turn can run, nothing is left that could start the next one: it follows."""
    changes = changes_of(decide(turn_state(), ModelAnswered("", (UNKNOWN, READ)), NOW_MS))
    refused, runs = changes.calls
    assert [item.call_id for item in changes.items] == [runs.id]
    assert (refused.status, refused.error, refused.finished_at_ms) == (CallStatus.FAILED, UNKNOWN.fault, NOW_MS)
    (streamed_text,) = decoded(changes.transcript)
    fault = {"type": "unknown_tool", "message": "there is no tool 'fly'"}
    assert [call.get("error") for call in streamed_text["calls"]] == [fault, None]
    told = [part.removeprefix("tool-") for part in types_of(changes.parts) if part.startswith("tool-")]
    assert told == ["input-available", "input-available", "output-error"]
    changes = changes_of(decide(turn_state(), ModelAnswered("", (UNKNOWN,)), NOW_MS))
    assert changes.items == (loop_item("job_1", 3, 1, NOW_MS),)


@pytest.mark.parametrize(("requested", "stops"), [((READ, WRITE), False), ((READ, WRITE, READ), True)])
def test_more_calls_than_the_limit_leaves_end_the_job(requested: tuple[Wanted, ...], stops: bool) -> None:
    """None of them runs; exactly as many as are left do."""
    decision = decide(turn_state(), ModelAnswered("", requested), NOW_MS)
    job = job_of(decision)
    assert changes_of(decision).ends is stops
    assert job.result == ({"answer": "so far", "stoppedBy": "tool_calls"} if stops else None)
    assert bool(changes_of(decision).calls) is not stops


@pytest.mark.parametrize(
    ("attempt", "requested_seconds", "delay_ms"), [(1, None, 2_000), (2, None, 4_000), (1, 90.0, 90_000)]
)
def test_a_model_that_failed_is_asked_again_later(attempt: int, requested_seconds: float | None, delay_ms: int) -> None:
    decision = decide(turn_state(attempt=attempt), ModelFailed(FAILURE, requested_seconds), NOW_MS)
    changes = changes_of(decision)
    assert changes.items == (loop_item("job_1", 2, attempt + 1, NOW_MS, NOW_MS + delay_ms),)
    assert job_of(decision).used == JOB.used
    assert not changes.ends
    assert outcomes(changes.parts) == [f"boom: it broke; again in {delay_ms // 1000} s"]


@pytest.mark.parametrize(("failure", "attempt"), [(FAILURE, 3), (FOR_GOOD, 1)])
def test_a_model_that_failed_for_good_fails_the_job(failure: Failure, attempt: int) -> None:
    """Without attempts left, or where trying again cannot help."""
    decision = decide(turn_state(attempt=attempt), ModelFailed(failure), NOW_MS)
    assert changes_of(decision).ends
    assert (job_of(decision).status, job_of(decision).error) == (JobStatus.FAILED, failure)
    assert types_of(changes_of(decision).parts) == ["data-event", "error", "finish"]


def test_a_submission_with_a_slot_starts_with_its_first_turn_and_else_requests_one() -> None:
    first = first_slot_state(NEW, NOW_MS)
    changes = changes_of(submit(Submitted(NEW, {"text": "do", "data": {"a": None}}, slot=True), NOW_MS))
    assert changes.job == replace(NEW, reserve_tokens=1_000)
    assert changes.items == (loop_item("job_1", 1, 1, NOW_MS),)
    assert changes.slot_state == replace(first, slot=True)
    assert decoded(changes.transcript) == [{"role": "user", "v": 1, "text": "do", "data": {"a": None}}]
    assert decoded(changes.parts) == [{"type": "start", "messageId": "job_1"}]
    changes = changes_of(submit(Submitted(NEW, {}), NOW_MS))
    assert changes.items == (loop_item("job_1", 1, 1, NOW_MS), slot_request_item("job_1", "slot", first.epoch, NOW_MS))
    assert changes.slot_state == first


def test_attempts_before_a_retry_do_not_count_after_a_question_either() -> None:
    """The answer that led to the question is withheld, so the turn's attempts go on being counted."""
    limits = Limits(turns=5, tool_calls=1, on_limit="ask")
    retried = replace(JOB, limits=limits, run=2, earlier=4)
    asked = changes_of(decide(turn_state(retried, attempt=5), ModelAnswered("", (READ,)), NOW_MS))
    waiting = State(job_of(asked), claimed(asked.items[0]), asked.calls[0], outcome='{"ok":{"approved":true}}')
    approved = changes_of(decide(waiting, Started(), NOW_MS))
    state = State(job_of(approved), claimed(approved.items[0]))
    assert state.item.attempt == 6
    assert not changes_of(decide(state, ModelFailed(FAILURE), NOW_MS)).ends
    answered = changes_of(decide(state, ModelAnswered("", (READ,)), NOW_MS))
    assert job_of(answered).earlier == 0
