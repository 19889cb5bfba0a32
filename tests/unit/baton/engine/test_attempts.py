"""How often a step is started whose processes die, what becomes of it then, and how long the next attempt waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from baton.engine.attempts import MAX_DELAY_MS, TAKING_IN_BUDGET, backoff_ms, no_start_left, with_deaths
from baton.engine.decide import decide
from baton.engine.effects import CallModel, RunTool
from baton.engine.step_results import ModelFailed, Started, ToolFailed
from baton.engine.work_items import ItemKind, following
from baton.sdk.records.transcript import Failure
from tests.unit.baton.engine.sample_state import NOW_MS, call_state, changes_of, error_of, turn_state


@pytest.mark.parametrize("retries", range(4))
def test_a_step_starts_at_most_once_more_than_it_may_be_tried(retries: int) -> None:
    """However its attempts end: with their process, or otherwise. Who never died is left to the rule of attempts."""
    item = turn_state().item
    for failed in range(retries + 1):
        deaths = 0
        while not no_start_left(replace(item, abandoned=deaths), failed, retries):
            deaths += 1
        assert failed + deaths == retries + 2
    assert not no_start_left(item, 100, retries)


def test_a_call_fails_and_is_not_tried_again() -> None:
    """What becomes of a failed call is decided as of any other."""
    state = call_state(ItemKind.CALL)
    state = replace(state, item=replace(state.item, abandoned=state.the_call.retries + 1))
    assert isinstance(decide(state, Started(), NOW_MS).effects[0], RunTool)
    state = replace(state, item=replace(state.item, abandoned=state.the_call.retries + 2))
    changes = changes_of(decide(state, Started(), NOW_MS))
    (record,), (item,) = changes.calls, changes.items
    assert (record.error and (record.error.type, record.error.retryable), item.kind) == (
        ("process_died", False),
        ItemKind.FAILED,
    )


def test_deaths_count_for_all_attempts_of_a_call_and_not_for_what_takes_it_in() -> None:
    state = call_state(ItemKind.CALL)
    item = replace(state.item, abandoned=2)
    changes = changes_of(decide(replace(state, item=item), ToolFailed(Failure("x", "y", retryable=True)), NOW_MS))
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
    state = turn_state()
    state = replace(state, item=replace(state.item, abandoned=state.job.model.retries + 1))
    assert isinstance(decide(state, Started(), NOW_MS).effects[0], CallModel)
    again = changes_of(decide(state, ModelFailed(Failure("x", "y", retryable=True)), NOW_MS))
    assert again.items[0].abandoned == state.item.abandoned
    state = replace(state, item=replace(state.item, abandoned=state.job.model.retries + 2))
    changes = changes_of(decide(state, Started(), NOW_MS))
    assert (changes.ends, error_of(changes).type) == (True, "process_died")


@pytest.mark.parametrize("kind", [ItemKind.COMPLETE, ItemKind.FAILED])
def test_what_cannot_be_taken_in_fails_its_job(kind: ItemKind) -> None:
    state = call_state(kind)
    for deaths, ends in ((TAKING_IN_BUDGET, False), (TAKING_IN_BUDGET + 1, True)):
        item = replace(state.item, abandoned=deaths, died=state.the_call.retries + 2)
        changes = changes_of(decide(replace(state, item=item), Started(), NOW_MS))
        assert changes.ends is ends


@given(st.floats(0, 1e9), st.integers(1, 10_000), st.none() | st.floats(allow_nan=True, allow_infinity=True))
def test_a_delay_is_never_negative_and_never_more_than_an_hour(
    base_seconds: float, attempt: int, requested_seconds: float | None
) -> None:
    """Whatever a provider asks for, and however often it was tried."""
    assert 0 <= backoff_ms(base_seconds, attempt, requested_seconds) <= MAX_DELAY_MS


@pytest.mark.parametrize(
    ("base_seconds", "attempt", "requested_seconds", "expected_ms"),
    [(1, 1, None, 1_000), (1, 2, None, 2_000), (1, 11, None, 1_024_000), (2, 1, 30, 30_000), (2, 1, 0.5, 2_000)],
)
def test_each_attempt_waits_twice_as_long_or_as_requested(
    base_seconds: float, attempt: int, requested_seconds: float | None, expected_ms: int
) -> None:
    """What the other side requested is respected when it is longer."""
    assert backoff_ms(base_seconds, attempt, requested_seconds) == expected_ms
