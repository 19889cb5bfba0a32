"""What a tool call decides."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton.core.decide import decide
from baton.core.effects import Changes, Decision, Join, RunTool
from baton.core.happenings import Happening, Started, ToolFailed, ToolReturned
from baton.core.legs import Leg, LegKind, loop_leg
from baton.core.state import CallRecord, Failure, State
from baton.core.transitions import CallStatus, IllegalTransitionError
from tests.unit.events.core.part_reader import decoded, outcomes, types_of
from tests.unit.events.core.sample_state import (
    CLAIMED_MS,
    FAILURE,
    FOR_GOOD,
    JOB,
    NOW_MS,
    call_record,
    call_state,
)

CALL_ID = "job_1-2-0-aaaaaaaaaa"
NEXT_TURN = Join("job_1:2", loop_leg("job_1", 3, 1, NOW_MS))


def changes_of(decision: Decision) -> Changes:
    """What is to be committed."""
    assert decision.changes is not None
    return decision.changes


def failed_record(failure: Failure, attempts: int = 1) -> CallRecord:
    """A call whose attempt failed."""
    return replace(call_record(CallStatus.RETRYING), attempts=attempts, error=failure)


def test_a_call_that_starts_runs_with_the_recorded_arguments() -> None:
    """Nothing is committed before it has returned."""
    expected = RunTool(JOB, call_record(), 2)
    assert decide(call_state(LegKind.CALL, attempt=2), Started(), NOW_MS) == Decision(effects=(expected,))


def test_a_call_without_its_record_is_a_damaged_state() -> None:
    """It says which leg."""
    broken = State(JOB, call_state(LegKind.CALL).leg)
    with pytest.raises(ValueError, match=f"leg call:{CALL_ID}:1 has no record of its tool call"):
        decide(broken, Started(), NOW_MS)


def test_a_result_is_recorded_and_to_be_taken_in() -> None:
    """The result is stored with the step that follows; the job itself is not touched."""
    changes = changes_of(decide(call_state(LegKind.CALL), ToolReturned('{"n":1}'), NOW_MS))
    [record], [leg] = changes.calls, changes.legs
    assert (record.status, record.attempts, record.error) == (CallStatus.COMPLETED, 1, None)
    assert (record.started_at_ms, record.finished_at_ms) == (CLAIMED_MS, NOW_MS)
    assert (leg.key, leg.kind, leg.group) == (f"complete:{CALL_ID}:1", LegKind.COMPLETE, "job_1:2")
    assert changes.results == {CALL_ID: '{"ok":{"n":1}}'}
    assert (changes.job, changes.join, changes.transcript) == (None, None, ())
    assert types_of(changes.parts) == ["tool-output-available", "data-event"]


def test_a_later_attempt_that_returns_forgets_the_error() -> None:
    """And keeps when the first one started."""
    before = replace(failed_record(FAILURE), started_at_ms=NOW_MS - 8_000)
    [record] = changes_of(decide(call_state(LegKind.CALL, before, 2), ToolReturned("1"), NOW_MS)).calls
    assert (record.status, record.attempts, record.error) == (CallStatus.COMPLETED, 2, None)
    assert record.started_at_ms == NOW_MS - 8_000


def test_a_failure_is_recorded_and_what_follows_is_the_next_steps_to_decide() -> None:
    """Its event is `tool.execution.failed`."""
    changes = changes_of(decide(call_state(LegKind.CALL), ToolFailed(FAILURE), NOW_MS))
    [record], [leg] = changes.calls, changes.legs
    assert (record.status, record.attempts, record.error) == (CallStatus.RETRYING, 1, FAILURE)
    assert (leg.key, leg.not_before_ms) == (f"failed:{CALL_ID}:1", 0)
    assert changes.results == {}
    assert outcomes(changes.parts) == ["boom: it broke"]


@pytest.mark.parametrize(("attempt", "delay_ms"), [(1, 1_000), (2, 2_000)])
def test_a_failure_that_may_pass_is_tried_again_later(attempt: int, delay_ms: int) -> None:
    """The next attempt's leg is in the group, so the turn waits for it; the record stays as it is."""
    state = call_state(LegKind.FAILED, failed_record(FAILURE, attempt), attempt)
    changes = changes_of(decide(state, Started(), NOW_MS))
    [leg] = changes.legs
    assert (leg.key, leg.attempt, leg.group) == (f"call:{CALL_ID}:{attempt + 1}", attempt + 1, "job_1:2")
    assert leg.not_before_ms == NOW_MS + delay_ms
    assert (changes.calls, changes.join, changes.results) == ((), None, {})
    assert outcomes(changes.parts) == [f"attempt {attempt + 1} in {delay_ms // 1000} s"]


@pytest.mark.parametrize(("failure", "attempt"), [(FAILURE, 3), (FOR_GOOD, 1)])
def test_a_failure_for_good_is_given_to_the_model(failure: Failure, attempt: int) -> None:
    """As the call's result; the last one of a turn starts the next turn."""
    state = call_state(LegKind.FAILED, failed_record(failure, attempt), attempt)
    changes = changes_of(decide(state, Started(), NOW_MS))
    [record] = changes.calls
    assert (record.status, record.error, record.finished_at_ms) == (CallStatus.FAILED, failure, NOW_MS)
    assert decoded(changes.results.values()) == [{"error": {"type": "boom", "message": "it broke"}}]
    assert (changes.legs, changes.join) == ((), NEXT_TURN)
    assert types_of(changes.parts) == ["tool-output-error", "data-event"]


def test_a_result_is_taken_in_by_joining_its_turn() -> None:
    """It is recorded already: nothing else is written."""
    record = call_record(CallStatus.COMPLETED)
    changes = changes_of(decide(call_state(LegKind.COMPLETE, record), Started(), NOW_MS))
    assert (changes.legs, changes.join, changes.calls, changes.results) == ((), NEXT_TURN, (), {})
    assert outcomes(changes.parts) == ["taken in"]


@pytest.mark.parametrize("happened", [ToolReturned("1"), ToolFailed(FAILURE)])
@pytest.mark.parametrize("status", [CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELLED])
def test_a_call_that_has_ended_takes_no_result(status: CallStatus, happened: Happening) -> None:
    """Its leg would be gone; that it is there is a defect, and nothing is decided."""
    with pytest.raises(IllegalTransitionError):
        decide(call_state(LegKind.CALL, call_record(status)), happened, NOW_MS)


def test_a_large_result_is_named_in_the_stream_and_not_repeated() -> None:
    """It is stored once."""
    big = '"' + "x" * (64 * 1024) + '"'
    changes = changes_of(decide(call_state(LegKind.CALL), ToolReturned(big), NOW_MS))
    assert changes.results == {CALL_ID: f'{{"ok":{big}}}'}
    [output] = [part for part in decoded(changes.parts) if part["type"] == "tool-output-available"]
    assert output["output"] == {"storedApart": True, "sizeBytes": len(big)}


def test_a_following_leg_is_free_and_begins_its_own_count() -> None:
    """Claim, callbacks and appends belong to the step before."""
    state = call_state(LegKind.CALL)
    worn: Leg = replace(state.leg, undelivered=3, counted="cb", appended=7)
    [leg] = changes_of(decide(replace(state, leg=worn), ToolReturned("1"), NOW_MS)).legs
    found: Any = (leg.owner, leg.claimed_ms, leg.lease_until_ms, leg.undelivered, leg.counted, leg.appended)
    assert found == ("", 0, 0, 0, "", 0)
    assert leg.since_ms == NOW_MS
