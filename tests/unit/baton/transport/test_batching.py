"""What is ready at the same time travels together; whatever becomes of one asker harms no other."""

import asyncio

import pytest
from msgspec.structs import replace

from baton.transport.batching import Batcher
from tests.unit.baton.transport.batching_wire import BOUNDS, Wire, requesting, settled


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def batcher(wire: Wire) -> Batcher[str, str]:
    return Batcher(wire.send, BOUNDS)


async def test_a_lone_item_goes_at_once_and_alone(wire: Wire, batcher: Batcher[str, str]) -> None:
    """After what is ready in the same round of the loop: two rounds later it is on its way, whatever the clock says."""
    [caller] = requesting(batcher, "a")
    for _ in range(3):  # the asker, the request, what it sends
        await asyncio.sleep(0)
    assert wire.requests == [["a"]]
    wire.answer(0)
    assert await caller == "A"


async def test_items_of_one_round_travel_together_and_each_gets_its_own_answer(
    wire: Wire, batcher: Batcher[str, str]
) -> None:
    callers = requesting(batcher, "a", "b", "c")
    await settled()
    assert wire.requests == [["a", "b", "c"]]
    wire.answer(0)
    assert await asyncio.gather(*callers) == ["A", "B", "C"]


async def test_no_more_requests_are_under_way_than_allowed_and_what_waits_meanwhile_goes_together(
    wire: Wire, batcher: Batcher[str, str]
) -> None:
    """The next one leaves when one has come back, full."""
    callers = requesting(batcher, "a")
    await settled()
    callers += requesting(batcher, "b")
    await settled()
    for ask in "cdefgh":
        callers += requesting(batcher, ask)
        await settled()
    assert wire.requests == [["a"], ["b"]]
    wire.answer(1)
    await settled()
    assert wire.requests[2:] == [["c", "d", "e", "f"]]
    wire.answer(0)
    await settled()
    assert wire.requests[3:] == [["g", "h"]]
    wire.answer(2)
    wire.answer(3)
    assert await asyncio.gather(*callers) == list("ABCDEFGH")
    assert wire.most_at_once == 2


async def test_who_is_answered_and_asks_on_is_in_time_for_the_next_request(
    wire: Wire, batcher: Batcher[str, str]
) -> None:
    async def twice(name: str) -> list[str]:
        return [await batcher.send(name + word, 1, 1) for word in ("1", "2")]

    tasks = [asyncio.ensure_future(twice(name)) for name in "abc"]
    await settled()
    wire.answer(0)
    await settled()
    assert wire.requests == [["a1", "b1", "c1"], ["a2", "b2", "c2"]]
    wire.answer(1)
    assert await asyncio.gather(*tasks) == [["A1", "A2"], ["B1", "B2"], ["C1", "C2"]]


async def test_a_request_is_bounded_in_bytes_and_what_is_larger_goes_alone(
    wire: Wire, batcher: Batcher[str, str]
) -> None:
    callers = [
        *requesting(batcher, "a", size_bytes=60),
        *requesting(batcher, "b", size_bytes=60),
        *requesting(batcher, "c", size_bytes=500),
        *requesting(batcher, "d", size_bytes=1),
    ]
    for number in range(4):
        await settled()
        wire.answer(number)
    assert await asyncio.gather(*callers) == list("ABCD")
    assert wire.requests == [["a"], ["b"], ["c"], ["d"]]


async def test_many_of_one_round_are_shared_out_among_the_requests_that_are_free(wire: Wire) -> None:
    """So that the first go on while the server works for the others; few, or what waits for one, go together."""
    batcher: Batcher[str, str] = Batcher(wire.send, replace(BOUNDS, entries=64))
    callers = requesting(batcher, *"abcdefghi")
    await settled()
    assert wire.requests == [[*"abcde"], [*"fghi"]]
    callers += requesting(batcher, *"jklmnopqr")
    await settled()
    wire.answer(0)
    await settled()
    assert wire.requests[2:] == [[*"jklmnopqr"]]
    for number in (1, 2):
        wire.answer(number)
    await settled()
    callers += requesting(batcher, *"stuvwxy")
    await settled()
    assert wire.requests[3:] == [[*"stuvwxy"]]
    wire.answer(3)
    assert await asyncio.gather(*callers) == [*"ABCDEFGHIJKLMNOPQRSTUVWXY"]


async def test_an_item_of_several_entries_is_never_divided(wire: Wire, batcher: Batcher[str, str]) -> None:
    """It counts as many; one above the bound by itself goes alone."""
    tasks = [asyncio.ensure_future(batcher.send(ask, entries, 1)) for ask, entries in (("a", 3), ("b", 2), ("c", 9))]
    for number in range(3):
        await settled()
        wire.answer(number)
    await asyncio.gather(*tasks)
    assert wire.requests == [["a"], ["b"], ["c"]]


async def test_an_error_for_one_reaches_that_one_alone(wire: Wire, batcher: Batcher[str, str]) -> None:
    callers = requesting(batcher, "a", "b", "c")
    await settled()
    wire.answer(0, ["A", KeyError("b"), "C"])
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert (answers[0], answers[2]) == ("A", "C")
    assert isinstance(answers[1], KeyError)


async def test_a_request_that_fails_fails_for_all_in_it_and_for_nobody_else(
    wire: Wire, batcher: Batcher[str, str]
) -> None:
    """Nothing is sent again."""
    first = requesting(batcher, "a", "b")
    await settled()
    second = requesting(batcher, "c")
    await settled()
    wire.answer(0, OSError("cut"))
    wire.answer(1)
    assert [type(answer) for answer in await asyncio.gather(*first, return_exceptions=True)] == [OSError, OSError]
    assert await second[0] == "C"
    assert len(wire.requests) == 2


async def test_answers_that_are_too_few_are_nobodys(wire: Wire, batcher: Batcher[str, str]) -> None:
    """Rather than somebody else's."""
    callers = requesting(batcher, "a", "b")
    await settled()
    wire.answer(0, ["A"])
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[1], ValueError)
