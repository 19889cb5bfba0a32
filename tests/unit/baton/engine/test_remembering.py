"""An ended job is remembered by a work item that outlives its end."""

import pytest
from msgspec.structs import replace

from baton.engine.decide import cancel, decide
from baton.engine.effects import Alert, Changes, Decision, Remember
from baton.engine.lifecycle import FOLLOW_UP_ATTEMPTS, FOLLOW_UP_UNDELIVERED_BUDGET
from baton.engine.outbox import event_of
from baton.engine.state import State
from baton.engine.step_results import (
    Cancelled,
    FollowedUp,
    ModelAnswered,
    ModelFailed,
    NotFollowedUp,
    Started,
    StepResult,
    Undeliverable,
)
from baton.engine.transitions import JobStatus
from baton.engine.work_items import EVENT_OF_KIND, ItemKind, item_key_of, remember_item
from baton.sdk.records import Wanted
from baton_events.schema import encode_event, event_type, parse_event
from tests.unit.baton.engine.sample_state import FAILURE, FOR_GOOD, JOB, NOW_MS, claimed, turn_state

REMEMBERS = replace(JOB, remembers=True)
DONE = replace(REMEMBERS, status=JobStatus.COMPLETED, result={"answer": "done"})
OUT = NotFollowedUp(FAILURE)


def ending(step_result: StepResult, *, remembers: bool = True) -> Changes:
    changes = decide(turn_state(REMEMBERS if remembers else JOB), step_result, NOW_MS).changes
    assert changes is not None
    assert changes.ends
    return changes


def remembering(step_result: StepResult, attempt: int = 1, undelivered: int = 0) -> Decision:
    item = replace(claimed(remember_item(DONE.id, DONE.turn, attempt, NOW_MS)), undelivered=undelivered)
    return decide(State(DONE, item), step_result, NOW_MS)


def test_a_job_that_completes_leaves_the_item_that_remembers_it() -> None:
    """At once, for nobody else waits for it."""
    assert ending(ModelAnswered("done")).items == (remember_item(JOB.id, JOB.turn, 1, NOW_MS),)


def test_a_job_stopped_by_a_limit_is_remembered_by_its_best_answer() -> None:
    [item] = ending(ModelAnswered("", (Wanted("a", {}), Wanted("b", {}), Wanted("c", {})))).items
    assert item.kind is ItemKind.REMEMBER


def test_a_job_without_an_answer_is_not_remembered() -> None:
    """Nor one whose agent has no memory, nor a cancelled one."""
    assert ending(ModelFailed(FOR_GOOD)).items == ()
    assert ending(ModelAnswered("done"), remembers=False).items == ()
    cancelled = cancel(REMEMBERS, Cancelled(), NOW_MS).changes
    assert cancelled is not None
    assert cancelled.items == ()


def test_a_turn_that_ends_nothing_leaves_no_such_item() -> None:
    changes = decide(turn_state(REMEMBERS), ModelAnswered("", (Wanted("a", {}),)), NOW_MS).changes
    assert changes is not None
    assert [item.kind for item in changes.items] == [ItemKind.CALL]


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
    """The job stays as it ended."""
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
def test_what_cannot_be_delivered_is_redriven_again_within_a_budget(
    undelivered: int, *, malformed: bool, dropped: bool
) -> None:
    """Then it is dropped, or it would be redriven for ever."""
    decision = remembering(Undeliverable("answered 500", malformed=malformed), undelivered=undelivered)
    assert (decision.changes is not None) == dropped == bool(decision.effects)


def test_its_event_is_a_loop_event_of_its_own() -> None:
    item = remember_item(JOB.id, 2, 3, NOW_MS)
    event = parse_event(encode_event(event_of("session_1", item)).encode())
    assert event_type(event) is EVENT_OF_KIND[ItemKind.REMEMBER]
    assert item_key_of(event) == item.key == f"remember:{JOB.id}:3"


def test_the_last_attempt_is_made() -> None:
    """A death before it counts as one of them: then it is not."""
    item = claimed(remember_item(JOB.id, JOB.turn, FOLLOW_UP_ATTEMPTS[ItemKind.REMEMBER], NOW_MS))
    ended = replace(JOB, status=JobStatus.COMPLETED)
    assert decide(State(ended, item), Started(), NOW_MS).effects == (Remember(ended),)
    assert decide(State(ended, replace(item, abandoned=1)), Started(), NOW_MS).effects != (Remember(ended),)
