"""What a tool call decides."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.decide import decide
from baton.engine.effects import Decision, Join, RunTool
from baton.engine.state import CallRecord, State
from baton.engine.step_results import Started, StepResult, ToolFailed, ToolReturned
from baton.engine.transitions import CallStatus, IllegalTransitionError
from baton.engine.work_items import ItemKind, WorkItem, loop_item
from baton.sdk.records.transcript import Failure
from tests.unit.baton.engine.sample_state import (
    CLAIMED_MS,
    FAILURE,
    FOR_GOOD,
    JOB,
    NOW_MS,
    call_record,
    call_state,
    changes_of,
    claimed,
    decoded,
    outcomes,
    types_of,
)

CALL_ID = "job_1-2-0-aaaaaaaaaa"
NEXT_TURN = Join("job_1:2", loop_item("job_1", 3, 1, NOW_MS))


@pytest.mark.parametrize("at_once", [False, True])
def test_a_result_that_is_kept_apart_counts_however_it_is_taken_in(at_once: bool) -> None:
    step_result = ToolReturned("1", apart_bytes=5_000_000)
    changes = changes_of(decide(call_state(ItemKind.CALL), step_result, NOW_MS, at_once=at_once))
    assert changes.apart_bytes == 5_000_000


def failed_record(failure: Failure, attempts: int = 1) -> CallRecord:
    return replace(call_record(CallStatus.RETRYING), attempts=attempts, error=failure)


def test_a_call_that_starts_runs_with_the_recorded_arguments() -> None:
    """Nothing is committed before it has returned; a call without its record is damage."""
    expected = RunTool(JOB, call_record(), 2, again=True)
    assert decide(call_state(ItemKind.CALL, attempt=2), Started(), NOW_MS) == Decision(effects=(expected,))
    broken = State(JOB, call_state(ItemKind.CALL).item)
    with pytest.raises(ValueError, match=f"work item call:{CALL_ID}:1 has no record of its tool call"):
        decide(broken, Started(), NOW_MS)


def test_a_result_is_recorded_and_to_be_taken_in() -> None:
    """What a runner keeps of it is stored and not shown. A later attempt that returns forgets the error."""
    changes = changes_of(decide(call_state(ItemKind.CALL), ToolReturned('{"n":1}', '{"hidden":2}'), NOW_MS))
    [record], [item] = changes.calls, changes.items
    assert (record.status, record.attempts, record.error) == (CallStatus.COMPLETED, 1, None)
    assert (record.started_at_ms, record.finished_at_ms) == (CLAIMED_MS, NOW_MS)
    assert (item.key, item.kind, item.group) == (f"complete:{CALL_ID}:1", ItemKind.COMPLETE, "job_1:2")
    assert changes.results == {CALL_ID: '{"ok":{"n":1},"kept":{"hidden":2}}'}
    assert (changes.job, changes.join, changes.transcript) == (None, None, ())
    assert types_of(changes.parts) == ["tool-output-available", "data-event"]
    assert not any("hidden" in part for part in changes.parts)
    before = replace(failed_record(FAILURE), started_at_ms=NOW_MS - 8_000)
    [record] = changes_of(decide(call_state(ItemKind.CALL, before, 2), ToolReturned("1"), NOW_MS)).calls
    assert (record.status, record.attempts, record.error) == (CallStatus.COMPLETED, 2, None)
    assert record.started_at_ms == NOW_MS - 8_000


def test_a_failure_is_recorded_and_what_follows_is_the_next_steps_to_decide() -> None:
    """Its event is `tool.execution.failed`."""
    changes = changes_of(decide(call_state(ItemKind.CALL), ToolFailed(FAILURE), NOW_MS))
    [record], [item] = changes.calls, changes.items
    assert (record.status, record.attempts, record.error) == (CallStatus.RETRYING, 1, FAILURE)
    assert (item.key, item.not_before_ms) == (f"failed:{CALL_ID}:1", 0)
    assert changes.results == {}
    assert outcomes(changes.parts) == ["boom: it broke"]


@pytest.mark.parametrize(("attempt", "delay_ms"), [(1, 1_000), (2, 2_000)])
def test_a_failure_that_may_pass_is_tried_again_later(attempt: int, delay_ms: int) -> None:
    """The next attempt's work item is in the group, so the turn waits for it; the record stays as it is."""
    state = call_state(ItemKind.FAILED, failed_record(FAILURE, attempt), attempt)
    changes = changes_of(decide(state, Started(), NOW_MS))
    [item] = changes.items
    assert (item.key, item.attempt, item.group) == (f"call:{CALL_ID}:{attempt + 1}", attempt + 1, "job_1:2")
    assert item.not_before_ms == NOW_MS + delay_ms
    assert (changes.calls, changes.join, changes.results) == ((), None, {})
    assert outcomes(changes.parts) == [f"attempt {attempt + 1} in {delay_ms // 1000} s"]


@pytest.mark.parametrize("requested_seconds", [30, 0.5, 0, None, 3_600])
@pytest.mark.parametrize("late_ms", [0, 400])
def test_the_next_attempt_comes_no_earlier_than_requested(requested_seconds: float | None, late_ms: int) -> None:
    """It counts from the failure, however late that is taken in; the attempt after it has a wait of its own."""
    decision = decide(call_state(ItemKind.CALL), ToolFailed(FAILURE, requested_seconds), NOW_MS)
    [record], [taken_in] = changes_of(decision).calls, changes_of(decision).items
    [item] = changes_of(decide(State(JOB, claimed(taken_in), record), Started(), NOW_MS + late_ms)).items
    assert item.kind is ItemKind.CALL
    assert item.not_before_ms == NOW_MS + max(1000 * (requested_seconds or 0), late_ms + 1_000)
    assert item.retry_at_ms == 0


@pytest.mark.parametrize(("failure", "attempt"), [(FAILURE, 3), (FOR_GOOD, 1)])
def test_a_failure_for_good_is_given_to_the_model(failure: Failure, attempt: int) -> None:
    """As the call's result; the last one of a turn starts the next turn."""
    state = call_state(ItemKind.FAILED, failed_record(failure, attempt), attempt)
    changes = changes_of(decide(state, Started(), NOW_MS))
    [record] = changes.calls
    assert (record.status, record.error, record.finished_at_ms) == (CallStatus.FAILED, failure, NOW_MS)
    assert decoded(changes.results.values()) == [{"error": {"type": "boom", "message": "it broke"}}]
    assert (changes.items, changes.join) == ((), NEXT_TURN)
    assert types_of(changes.parts) == ["tool-output-error", "data-event"]


def test_a_result_is_taken_in_by_joining_its_turn() -> None:
    record = call_record(CallStatus.COMPLETED)
    changes = changes_of(decide(call_state(ItemKind.COMPLETE, record), Started(), NOW_MS))
    assert (changes.items, changes.join, changes.calls, changes.results) == ((), NEXT_TURN, (), {})
    assert outcomes(changes.parts) == ["taken in"]


@pytest.mark.parametrize("step_result", [ToolReturned("1"), ToolFailed(FAILURE)])
@pytest.mark.parametrize("status", [CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELLED])
def test_a_call_that_has_ended_takes_no_result(status: CallStatus, step_result: StepResult) -> None:
    """Its work item would be gone; that it is there is a defect, and nothing is decided."""
    with pytest.raises(IllegalTransitionError):
        decide(call_state(ItemKind.CALL, call_record(status)), step_result, NOW_MS)


def test_a_following_item_is_free_and_begins_its_own_count() -> None:
    """Claim, callbacks and appends belong to the step before."""
    state = call_state(ItemKind.CALL)
    worn: WorkItem = replace(state.item, undelivered=3, counted="cb", appended=7)
    [item] = changes_of(decide(replace(state, item=worn), ToolReturned("1"), NOW_MS)).items
    found: Any = (item.owner, item.claimed_ms, item.lease_until_ms, item.undelivered, item.counted, item.appended)
    assert found == ("", 0, 0, 0, "", 0)
    assert item.since_ms == NOW_MS
