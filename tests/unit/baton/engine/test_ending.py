"""How a job ends from outside: cancelled, or given up by the queue."""

import pytest
from msgspec.structs import replace

from baton.engine.decide import cancel, decide
from baton.engine.effects import Alert, Decision
from baton.engine.lifecycle import UNDELIVERED_BUDGET
from baton.engine.state import State
from baton.engine.step_results import Cancelled, Undeliverable
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, slot_request_item
from baton.sdk.records import Failure
from tests.unit.baton.engine.part_reader import decoded, types_of
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, call_state, claimed, turn_state


def undelivered(times: int, *, malformed: bool = False) -> Decision:
    """What is decided when the queue has given up on a work item so many times."""
    state = call_state(ItemKind.CALL)
    worn = replace(state, item=replace(state.item, undelivered=times))
    return decide(worn, Undeliverable("the endpoint answered 500 no", malformed=malformed), NOW_MS)


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.WAITING])
def test_a_live_job_is_cancelled_at_once(status: JobStatus) -> None:
    """Whatever runs: its work item is gone when it comes back."""
    changes = cancel(replace(JOB, status=status), Cancelled("client of acme"), NOW_MS).changes
    assert changes is not None
    assert changes.job is not None
    assert changes.ends
    assert (changes.job.status, changes.job.finished_at_ms) == (JobStatus.CANCELLED, NOW_MS)
    assert changes.job.error == Failure("cancelled", "cancelled by client of acme")
    assert types_of(changes.parts) == ["abort", "finish"]
    assert decoded(changes.parts)[0]["reason"] == "cancelled by client of acme"


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_an_ended_job_stays_as_it_is(status: JobStatus) -> None:
    assert cancel(replace(JOB, status=status), Cancelled(), NOW_MS) == Decision()


def test_nobody_in_particular_may_cancel() -> None:
    """Then nobody is named."""
    changes = cancel(JOB, Cancelled(), NOW_MS).changes
    assert changes is not None
    assert changes.job is not None
    assert changes.job.error == Failure("cancelled", "cancelled")


@pytest.mark.parametrize("times", range(1, UNDELIVERED_BUDGET + 1))
def test_an_undelivered_event_is_redriven_again_within_its_budget(times: int) -> None:
    """Nothing is written, and nobody alarmed."""
    assert undelivered(times) == Decision()


def test_a_spent_budget_fails_the_job_with_a_reason_and_an_alert() -> None:
    decision = undelivered(UNDELIVERED_BUDGET + 1)
    assert decision.changes is not None
    job = decision.changes.job
    assert job is not None
    message = "the event call of turn 2 could not be delivered, 6 times in a row: the endpoint answered 500 no"
    assert (job.status, job.error) == (JobStatus.FAILED, Failure("delivery_failed", message))
    assert decision.changes.ends
    text = f"job job_1 failed: delivery_failed: {message} (agent 'agent_1')"
    assert decision.effects == (Alert("job_1", text, counted="agent_1:delivery_failed"),)


def test_a_malformed_event_fails_the_job_at_once() -> None:
    decision = undelivered(1, malformed=True)
    assert decision.changes is not None
    assert decision.changes.job is not None
    assert decision.changes.job.error is not None
    assert "as malformed: the endpoint answered 500 no" in decision.changes.job.error.message


def test_an_ended_job_is_not_failed_by_its_last_update() -> None:
    """Only its slot request is left, and the sweep tells it again."""
    ended = replace(JOB, status=JobStatus.COMPLETED)
    state = State(ended, replace(claimed(slot_request_item("job_1", "gone", 9, NOW_MS)), undelivered=99))
    assert decide(state, Undeliverable("no", malformed=True), NOW_MS) == Decision()


def test_a_job_that_never_started_has_a_start_when_it_ends() -> None:
    """The time at which it ended, if nothing else is known."""
    pending = replace(JOB, status=JobStatus.PENDING, started_at_ms=None)
    state = turn_state(pending)
    free = replace(state, item=replace(state.item, claimed_ms=0, undelivered=99))
    changes = decide(free, Undeliverable("no"), NOW_MS).changes
    assert changes is not None
    assert changes.job is not None
    assert changes.job.started_at_ms == NOW_MS
