"""How a job ends from outside, cancelled or given up by the queue, and how an ended job is remembered."""

import pytest
from msgspec.structs import replace

from baton.engine.decide import cancel, decide
from baton.engine.effects import Alert, Changes, Decision, Remember
from baton.engine.lifecycle import FOLLOW_UP_ATTEMPTS, FOLLOW_UP_UNDELIVERED_BUDGET, UNDELIVERED_BUDGET
from baton.engine.state import State
from baton.engine.step_results import (
    FollowedUp,
    ModelAnswered,
    ModelFailed,
    NotFollowedUp,
    Started,
    StepResult,
    Undeliverable,
)
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, remember_item, slot_request_item
from baton.sdk.records.transcript import Failure, Wanted
from baton_events.schema import Cancellation
from tests.unit.baton.engine.sample_state import (
    FAILURE,
    FOR_GOOD,
    JOB,
    NOW_MS,
    call_state,
    changes_of,
    claimed,
    decoded,
    error_of,
    job_of,
    turn_state,
    types_of,
)


def undelivered(times: int, *, malformed: bool = False) -> Decision:
    """What is decided when the queue has given up on a work item so many times."""
    state = call_state(ItemKind.CALL)
    worn = replace(state, item=replace(state.item, undelivered=times))
    return decide(worn, Undeliverable("the endpoint answered 500 no", malformed=malformed), NOW_MS)


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.PROCESSING])
def test_a_live_job_is_cancelled_at_once(status: JobStatus) -> None:
    """Whatever runs: its work item is gone when it comes back."""
    changes = changes_of(cancel(replace(JOB, status=status), Cancellation(by="client of acme"), NOW_MS))
    assert changes.ends
    assert (job_of(changes).status, job_of(changes).finished_at_ms) == (JobStatus.CANCELLED, NOW_MS)
    assert job_of(changes).error == Failure("cancelled", "cancelled by client of acme")
    assert types_of(changes.parts) == ["abort", "finish"]
    assert decoded(changes.parts)[0]["reason"] == "cancelled by client of acme"
    assert error_of(cancel(JOB, Cancellation(), NOW_MS)) == Failure("cancelled", "cancelled")


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_an_ended_job_stays_as_it_is(status: JobStatus) -> None:
    """Where only its slot request is left, the sweep tells it again."""
    ended = replace(JOB, status=status)
    assert cancel(ended, Cancellation(), NOW_MS) == Decision()
    state = State(ended, replace(claimed(slot_request_item("job_1", "gone", 9, NOW_MS)), undelivered=99))
    assert decide(state, Undeliverable("no", malformed=True), NOW_MS) == Decision()


def test_a_spent_budget_fails_the_job_with_a_reason_and_an_alert() -> None:
    """As does a malformed event at once."""
    decision = undelivered(UNDELIVERED_BUDGET + 1)
    message = "the event call of turn 2 could not be delivered, 6 times in a row: the endpoint answered 500 no"
    assert (job_of(decision).status, job_of(decision).error) == (JobStatus.FAILED, Failure("delivery_failed", message))
    assert changes_of(decision).ends
    text = f"job job_1 failed: delivery_failed: {message} (agent 'agent_1')"
    assert decision.effects == (Alert("job_1", text, counted="agent_1:delivery_failed"),)
    malformed = error_of(undelivered(1, malformed=True)).message
    assert "as malformed: the endpoint answered 500 no" in malformed


@pytest.mark.parametrize("times", range(1, UNDELIVERED_BUDGET + 1))
def test_an_undelivered_event_is_replayed_again_within_its_budget(times: int) -> None:
    assert undelivered(times) == Decision()


def test_a_job_that_never_started_has_a_start_when_it_ends() -> None:
    """The time at which it ended, if nothing else is known."""
    pending = replace(JOB, status=JobStatus.PENDING, started_at_ms=None)
    state = turn_state(pending)
    free = replace(state, item=replace(state.item, claimed_ms=0, undelivered=99))
    changes = changes_of(decide(free, Undeliverable("no"), NOW_MS))
    assert job_of(changes).started_at_ms == NOW_MS


REMEMBERS = replace(JOB, remembers=True)
DONE = replace(REMEMBERS, status=JobStatus.COMPLETED, result={"answer": "done"})
OUT = NotFollowedUp(FAILURE)


def ending(step_result: StepResult, *, remembers: bool = True) -> Changes:
    changes = changes_of(decide(turn_state(REMEMBERS if remembers else JOB), step_result, NOW_MS))
    assert changes.ends
    return changes


def remembering(step_result: StepResult, attempt: int = 1, undelivered: int = 0) -> Decision:
    item = replace(claimed(remember_item(DONE.id, DONE.turn, attempt, NOW_MS)), undelivered=undelivered)
    return decide(State(DONE, item), step_result, NOW_MS)


def test_a_job_that_completes_leaves_the_item_that_remembers_it() -> None:
    """At once, for nobody else waits for it; one that a limit stopped by its best answer."""
    item = remember_item(JOB.id, JOB.turn, 1, NOW_MS)
    assert ending(ModelAnswered("done")).items == (item,)
    assert ending(ModelAnswered("", (Wanted("a", {}), Wanted("b", {}), Wanted("c", {})))).items == (item,)


def test_a_job_without_an_answer_is_not_remembered() -> None:
    """Nor one whose agent has no memory, nor a cancelled one, nor one that goes on."""
    assert ending(ModelFailed(FOR_GOOD)).items == ()
    assert ending(ModelAnswered("done"), remembers=False).items == ()
    assert changes_of(cancel(REMEMBERS, Cancellation(), NOW_MS)).items == ()
    goes_on = changes_of(decide(turn_state(REMEMBERS), ModelAnswered("", (Wanted("a", {}),)), NOW_MS))
    assert [item.kind for item in goes_on.items] == [ItemKind.CALL]


def test_the_item_requests_its_work_and_is_done_with_it() -> None:
    assert remembering(Started()) == Decision(effects=(Remember(DONE),))
    assert remembering(FollowedUp()) == Decision(Changes())


def test_a_memory_that_is_away_is_asked_again_later() -> None:
    """Counted, each time twice as late."""
    for attempt, delay_ms in ((1, 5_000), (2, 10_000), (9, 1_280_000)):
        again = remember_item(DONE.id, DONE.turn, attempt + 1, NOW_MS, NOW_MS + delay_ms)
        assert remembering(OUT, attempt) == Decision(Changes(items=(again,)))


@pytest.mark.parametrize(
    ("step_result", "attempt"), [(OUT, FOLLOW_UP_ATTEMPTS[ItemKind.REMEMBER]), (NotFollowedUp(FOR_GOOD), 1)]
)
def test_without_attempts_left_it_is_dropped_and_somebody_is_alerted(step_result: StepResult, attempt: int) -> None:
    alert = Alert(DONE.id, f"job {DONE.id} is not remembered: boom: it broke")
    assert remembering(step_result, attempt) == Decision(Changes(), (alert,))


@pytest.mark.parametrize(
    ("undelivered", "malformed", "dropped"),
    [
        (1, False, False),
        (FOLLOW_UP_UNDELIVERED_BUDGET, False, False),
        (FOLLOW_UP_UNDELIVERED_BUDGET + 1, False, True),
        (1, True, True),
    ],
)
def test_what_cannot_be_delivered_is_replayed_again_within_a_budget(
    undelivered: int, *, malformed: bool, dropped: bool
) -> None:
    """Then it is dropped, or it would be replayed for ever."""
    decision = remembering(Undeliverable("answered 500", malformed=malformed), undelivered=undelivered)
    assert (decision.changes is not None) == dropped == bool(decision.effects)


def test_the_last_attempt_is_made() -> None:
    """A death before it counts as one of them: then it is not."""
    item = claimed(remember_item(JOB.id, JOB.turn, FOLLOW_UP_ATTEMPTS[ItemKind.REMEMBER], NOW_MS))
    ended = replace(JOB, status=JobStatus.COMPLETED)
    assert decide(State(ended, item), Started(), NOW_MS).effects == (Remember(ended),)
    dropped = decide(State(ended, replace(item, abandoned=1)), Started(), NOW_MS)
    assert (dropped.changes, "process died" in str(dropped.effects)) == (Changes(), True)
