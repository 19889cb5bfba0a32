"""How often a step is started whose processes die, and what becomes of it then."""

import pytest
from msgspec.structs import replace

from baton.engine.attempts import TAKING_IN_BUDGET, no_start_left, with_deaths
from baton.engine.decide import decide
from baton.engine.effects import CallModel, Remember, RunTool
from baton.engine.lifecycle import FOLLOW_UP_ATTEMPTS
from baton.engine.step_results import ModelFailed, Started, ToolFailed
from baton.engine.work_items import ItemKind, following, remember_item
from baton.sdk.records import Failure
from tests.unit.baton.engine.sample_state import NOW_MS, call_state, turn_state


@pytest.mark.parametrize("retries", range(4))
def test_a_step_starts_at_most_once_more_than_it_may_be_tried(retries: int) -> None:
    """However its attempts end: with their process, or otherwise."""
    item = turn_state().item
    for failed in range(retries + 1):
        deaths = 0
        while not no_start_left(replace(item, abandoned=deaths), failed, retries):
            deaths += 1
        assert failed + deaths == retries + 2


def test_who_never_died_is_left_to_the_rule_of_attempts() -> None:
    """A person may have raised a limit, and an approval takes an attempt."""
    assert not no_start_left(turn_state().item, 100, 0)


def test_a_call_fails_and_is_not_tried_again() -> None:
    """What becomes of a failed call is decided as of any other."""
    state = call_state(ItemKind.CALL)
    state = replace(state, item=replace(state.item, abandoned=state.the_call.retries + 1))
    assert isinstance(decide(state, Started(), NOW_MS).effects[0], RunTool)
    state = replace(state, item=replace(state.item, abandoned=state.the_call.retries + 2))
    changes = decide(state, Started(), NOW_MS).changes
    assert changes is not None
    (record,), (item,) = changes.calls, changes.items
    assert (record.error and (record.error.type, record.error.retryable), item.kind) == (
        ("process_died", False),
        ItemKind.FAILED,
    )


def test_deaths_count_for_all_attempts_of_a_call_and_not_for_what_takes_it_in() -> None:
    """The next attempt has as few starts left."""
    state = call_state(ItemKind.CALL)
    item = replace(state.item, abandoned=2)
    changes = decide(replace(state, item=item), ToolFailed(Failure("x", "y", retryable=True)), NOW_MS).changes
    assert changes is not None
    (taken_in,) = changes.items
    again = following(taken_in, ItemKind.CALL, NOW_MS, attempt=2)
    assert (taken_in.abandoned, again.deaths, replace(again, abandoned=1).deaths) == (0, 2, 3)


@pytest.mark.parametrize("retries", range(4))
def test_a_call_starts_no_more_often_where_each_attempt_is_ended_by_who_was_overtaken(retries: int) -> None:
    """Each is started twice, and whoever began it first ends it, knowing of no death: the second one counts."""
    item, starts = call_state(ItemKind.CALL).item, 0
    while not no_start_left(item, item.attempt - 1, retries) and item.attempt <= retries + 1:
        began, starts = item, starts + 1
        item = replace(item, abandoned=1)
        starts += not no_start_left(item, item.attempt - 1, retries)
        failed = with_deaths(following(began, ItemKind.FAILED, NOW_MS), item)
        item = following(failed, ItemKind.CALL, NOW_MS, attempt=item.attempt + 1)
    assert starts <= retries + 2


@pytest.mark.parametrize("kind", [ItemKind.FAILED, ItemKind.WAIT])
def test_deaths_of_who_takes_something_in_are_not_the_calls(kind: ItemKind) -> None:
    """A call that has never run is not said to have died while it ran."""
    ran = replace(call_state(ItemKind.CALL).item, abandoned=1)
    taken_in = replace(following(ran, kind, NOW_MS), abandoned=TAKING_IN_BUDGET)
    assert following(taken_in, ItemKind.CALL, NOW_MS, attempt=2).deaths == 1


def test_a_turn_fails_its_job() -> None:
    """There is nobody to be told."""
    state = turn_state()
    state = replace(state, item=replace(state.item, abandoned=state.job.model.retries + 1))
    assert isinstance(decide(state, Started(), NOW_MS).effects[0], CallModel)
    again = decide(state, ModelFailed(Failure("x", "y", retryable=True)), NOW_MS).changes
    assert again is not None
    assert again.items[0].abandoned == state.item.abandoned
    state = replace(state, item=replace(state.item, abandoned=state.job.model.retries + 2))
    changes = decide(state, Started(), NOW_MS).changes
    assert changes is not None
    assert changes.job is not None
    assert changes.job.error is not None
    assert (changes.ends, changes.job.error.type) == (True, "process_died")


@pytest.mark.parametrize("kind", [ItemKind.COMPLETE, ItemKind.FAILED])
def test_what_cannot_be_taken_in_fails_its_job(kind: ItemKind) -> None:
    state = call_state(kind)
    for deaths, ends in ((TAKING_IN_BUDGET, False), (TAKING_IN_BUDGET + 1, True)):
        item = replace(state.item, abandoned=deaths, died=state.the_call.retries + 2)
        changes = decide(replace(state, item=item), Started(), NOW_MS).changes
        assert changes is not None
        assert changes.ends is ends


def test_what_cannot_be_remembered_is_dropped_and_somebody_is_alerted() -> None:
    state = turn_state()
    state = replace(state, item=remember_item(state.job.id, 1, 3, NOW_MS))
    assert isinstance(decide(state, Started(), NOW_MS).effects[0], Remember)
    state = replace(state, item=replace(state.item, abandoned=FOLLOW_UP_ATTEMPTS[ItemKind.REMEMBER]))
    decision = decide(state, Started(), NOW_MS)
    assert decision.changes is not None
    assert "process died" in str(decision.effects[0])
