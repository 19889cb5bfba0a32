"""The meter of an invocation: what is charged is taken once, or told as the rest; what commands and answers weigh."""

import pytest

from baton.engine.commit.usage_ledger import NOTHING, Metered
from baton.store.transport.meter import Meter, charge, current, give_back, metered, share, take
from baton.store.transport.redis_rest import answer_bytes, command_bytes
from tests.fakes.clock import FakeClock


def test_what_is_charged_is_taken_once_with_the_time_since() -> None:
    """Memory times time, as functions are billed. What is given back is there for the next one.

    What a job has used never falls, also where a clock goes back.
    """
    clock = FakeClock()
    with metered(Meter(clock, memory_mb=512)):
        charge(messages=1, deliveries=1)
        charge(requests=1, commands=7, size_bytes=900)
        clock.ms += 20
        assert take() == Metered(1, 1, 7, 1, 900, 20, 20 * 512)
        assert take() == NOTHING
        charge(requests=1)
        clock.ms += 5
        give_back(take())
        clock.ms += 2
        assert take() == Metered(requests=1, function_ms=7, mb_ms=7 * 512)
        clock.ms -= 100
        assert take() == NOTHING


def test_shared_requests_are_reported_with_the_rest_alone() -> None:
    """A COMMIT cannot know of its own."""
    meter = Meter(FakeClock(), memory_mb=512)
    with metered(meter):
        share()
        charge(requests=2)
        assert take() == Metered(requests=2)
        charge(requests=1)
    assert meter.rest() == Metered(requests=1, shared=1)


def test_where_nobody_meters_nothing_is_kept() -> None:
    """A program that only emits events."""
    charge(messages=1)
    share()
    give_back(Metered(requests=1))
    assert (take(), current()) == (NOTHING, None)


def test_a_command_weighs_its_arguments() -> None:
    """Without its name; numbers as they are sent, texts in UTF-8."""
    assert command_bytes(["HSET", "key", "f", "é", 12]) == 3 + 1 + 2 + 2


@pytest.mark.parametrize(
    ("answer", "size_bytes"), [("é", 2), (["a", 12, None, ["bc"]], 3), ({"a": "bc"}, 3), (7, 0), (None, 0), (True, 0)]
)
def test_an_answer_weighs_its_texts(answer: object, size_bytes: int) -> None:
    assert answer_bytes(answer) == size_bytes
