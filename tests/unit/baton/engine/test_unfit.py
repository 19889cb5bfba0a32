"""A step that this deploy's code cannot do waits for one that can, and fails once it has waited for too long."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.decide import decide
from baton.engine.state import State
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed
from baton.engine.transitions import JobStatus
from baton.engine.waits import status_and_wait
from baton.engine.work_items import ItemKind
from baton.sdk.records.limits import Limits
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.records.transcript import Failure
from baton.worker.executors.executor import canonical
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, call_state, changes_of, turn_state

GONE = Failure("unknown_agent", "unknown agent 'flow'", retryable=True)
DAY_SECONDS = 86_400
LONG = replace(JOB, limits=Limits(wall_seconds=30 * DAY_SECONDS))
STEPS: list[tuple[State, StepResult]] = [
    (replace(turn_state(), job=LONG), ModelFailed(GONE, is_unfit=True)),
    (replace(call_state(ItemKind.CALL), job=LONG), ToolFailed(GONE, is_unfit=True)),
]


def later(state: State, step_result: StepResult, now_ms: int) -> State:
    [item] = changes_of(decide(state, step_result, now_ms)).items
    return replace(state, item=item)


@pytest.mark.parametrize(("state", "step_result"), STEPS, ids=["turn", "call"])
def test_it_waits_with_growing_pauses_of_five_minutes_at_most(state: State, step_result: StepResult) -> None:
    pauses, now_ms = list[float](), NOW_MS
    for _ in range(12):
        after = later(state, step_result, now_ms)
        assert (after.item.key, after.item.attempt) == (state.item.key, state.item.attempt), "it is no attempt"
        pauses.append((after.item.not_before_ms - now_ms) / 1000)
        state, now_ms = after, after.item.not_before_ms
    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses[-3:] == [300, 300, 300]


@pytest.mark.parametrize(("state", "step_result"), STEPS, ids=["turn", "call"])
def test_people_see_what_is_missing(state: State, step_result: StepResult) -> None:
    waiting = later(state, step_result, NOW_MS)
    status, why = status_and_wait(replace(state.job, status=JobStatus.PROCESSING), [waiting.item], SlotState(), NOW_MS)
    assert status is JobStatus.WAITING
    assert why is not None
    assert "unknown_agent: unknown agent 'flow'" in why


@pytest.mark.parametrize(("state", "step_result"), STEPS, ids=["turn", "call"])
def test_after_a_day_it_fails(state: State, step_result: StepResult) -> None:
    waiting = later(state, step_result, NOW_MS)
    at_last = later(waiting, step_result, NOW_MS + DAY_SECONDS * 1000 - 1)
    assert at_last.item.not_before_ms == NOW_MS + DAY_SECONDS * 1000
    changes = changes_of(decide(at_last, step_result, NOW_MS + DAY_SECONDS * 1000))
    if state.item.kind is ItemKind.LOOP:
        assert changes.job is not None
        assert (changes.job.status, changes.job.error and changes.job.error.type) == (JobStatus.FAILED, "unknown_agent")
    else:
        assert [item.kind for item in changes.items] == [ItemKind.FAILED]
        assert [record.error and record.error.retryable for record in changes.calls] == [False]


def test_another_failure_counts_as_before() -> None:
    [item] = changes_of(decide(turn_state(), ModelFailed(GONE), NOW_MS)).items
    assert item.attempt == turn_state().item.attempt + 1


def test_what_is_let_in_of_a_call_s_failure_still_says_that_the_code_is_unfit() -> None:
    """Else the call would fail, and not wait for a deploy."""
    assert getattr(canonical(ToolFailed(GONE, is_unfit=True), KnownSecrets()), "is_unfit", False)
