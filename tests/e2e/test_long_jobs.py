"""A step costs the same at the end of a long job as at its beginning (`tests/bench/long_jobs.py` has larger ones)."""

import pytest

from tests.e2e.dev_stack import StackMaker
from tests.e2e.long_agents import WINDOW
from tests.e2e.long_run import Comparison, LongRun, Window

pytestmark = [pytest.mark.e2e, pytest.mark.long]

LENGTH, WIDTH = 200, 100
# The sweep, once a minute, is the only other thing that goes on; a look at a job that seemed still is one request.
BESIDES = 8
FLAT = 1.1  # decisions/0016-cost-of-a-step: of what the beginning costs


@pytest.fixture
def long_run(new_stack: StackMaker, request: pytest.FixtureRequest) -> LongRun:
    """In the mode that it is parametrized with."""
    return LongRun(new_stack("long_agents", CONTINUATION=getattr(request, "param", "queue")).start())


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


@pytest.mark.parametrize(
    ("long_run", "messages", "requests"),
    [
        pytest.param("literal", 3, 6, id="by messages"),
        pytest.param("queue", 2, 4, id="by messages, each call with its result"),
        pytest.param("inline", 0, 2, id="in place: a request of its turn, and one of its call"),
    ],
    indirect=["long_run"],
)
def test_many_steps_one_after_another_cost_the_same_each(long_run: LongRun, messages: int, requests: int) -> None:
    compared = long_run.sequential(LENGTH)
    assert_completed(compared, LENGTH)
    assert_flat(compared.first, compared.last)
    assert abs(compared.last.cost.messages - messages * WINDOW) <= BESIDES
    assert abs(compared.last.cost.requests - requests * WINDOW) <= BESIDES


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
