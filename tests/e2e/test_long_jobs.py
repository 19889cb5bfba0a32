"""A step costs the same at the end of a long job as at its beginning (`tests/bench/long_jobs.py` has larger ones)."""

import pytest

from tests.e2e.conftest import StackMaker
from tests.e2e.long_agents import WINDOW
from tests.e2e.long_run import Comparison, LongRun, Window

pytestmark = [pytest.mark.e2e, pytest.mark.long]

LENGTH, WIDTH = 200, 100
# The sweep, once a minute, is the only other thing that goes on; a look at a job that seemed still is one request.
BESIDES = 8
FLAT = 1.1  # decisions/0016-cost-of-a-step: of what the beginning costs


@pytest.fixture
def long_run(new_stack: StackMaker) -> LongRun:
    return LongRun(new_stack())


def assert_completed(compared: Comparison, calls: int) -> None:
    ended = compared.ended
    assert ended["status"] == "completed", ended["error"]
    assert [call["status"] for call in ended["toolCalls"]] == ["completed"] * calls


def assert_flat(first: Window, last: Window) -> None:
    assert (first.steps, last.steps) == (WINDOW, WINDOW)
    assert last.cost.messages <= first.cost.messages + BESIDES
    assert last.cost.requests <= first.cost.requests + BESIDES
    assert last.cost.commands <= first.cost.commands * FLAT
    assert last.cost.size_bytes <= first.cost.size_bytes * FLAT


def test_many_steps_one_after_another_cost_the_same_each(long_run: LongRun) -> None:
    """Three messages and six requests a step."""
    compared = long_run.sequential(LENGTH)
    assert_completed(compared, LENGTH)
    assert_flat(compared.first, compared.last)
    assert abs(compared.last.cost.messages - 3 * WINDOW) <= BESIDES
    assert abs(compared.last.cost.requests - 6 * WINDOW) <= BESIDES


def test_in_place_too(new_stack: StackMaker) -> None:
    """No message and two requests a step: that of its turn, and that of its call."""
    compared = LongRun(new_stack(), "inline").sequential(LENGTH)
    assert_completed(compared, LENGTH)
    assert_flat(compared.first, compared.last)
    assert compared.last.cost.messages <= BESIDES
    assert abs(compared.last.cost.requests - 2 * WINDOW) <= BESIDES


def test_a_conversation_that_is_summed_up_costs_the_same_at_its_end(long_run: LongRun) -> None:
    """What a model that reads everything is told is bounded, and so is what is loaded for it."""
    compared = long_run.sequential(LENGTH, "sums")
    assert_completed(compared, LENGTH)
    assert_flat(compared.first, compared.last)


def test_many_steps_at_once_cost_the_same_as_few(long_run: LongRun) -> None:
    """What the second fifty add is what the first fifty add."""
    compared = long_run.fan_out(WIDTH)
    assert_completed(compared, WIDTH)
    assert_flat(compared.first, compared.last)
