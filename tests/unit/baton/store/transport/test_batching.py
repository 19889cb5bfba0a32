"""What is ready at one time travels together; an ask ends by its answer, cancelled, out of time, or at a close."""

import asyncio
import gc
import weakref

import pytest
from msgspec.structs import replace

from baton.store.transport.batching import Batcher
from tests.unit.baton.store.transport.batching_wire import BOUNDS, Wire, requesting, settled


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def batcher(wire: Wire) -> Batcher[str, str]:
    return Batcher(wire.send, BOUNDS)


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


async def test_answers_that_are_too_few_are_nobodys(wire: Wire, batcher: Batcher[str, str]) -> None:
    """Rather than somebody else's."""
    callers = requesting(batcher, "a", "b")
    await settled()
    wire.answer(0, ["A"])
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[1], ValueError)


async def test_items_of_one_round_go_at_once_and_together_and_each_gets_its_own_answer(
    wire: Wire, batcher: Batcher[str, str]
) -> None:
    """After what is ready in the same round of the loop: two rounds later they are on their way, whatever the clock."""
    callers = requesting(batcher, "a", "b", "c")
    for _ in range(3):  # the asker, the request, what it sends
        await asyncio.sleep(0)
    assert wire.requests == [["a", "b", "c"]]
    wire.answer(0)
    assert await asyncio.gather(*callers) == ["A", "B", "C"]


async def test_a_caller_that_is_cancelled_on_the_way_harms_no_other(wire: Wire, batcher: Batcher[str, str]) -> None:
    gone, stays = requesting(batcher, "a", "b")
    await settled()
    gone.cancel()
    await settled()
    assert wire.given_up == []
    wire.answer(0)
    assert await stays == "B"


async def test_a_request_is_given_up_with_its_last_caller(wire: Wire, batcher: Batcher[str, str]) -> None:
    """So that a time limit ends it, and the next request has its place."""
    callers = requesting(batcher, "a", "b")
    await settled()
    for caller in callers:
        caller.cancel()
    await settled()
    assert wire.given_up == [["a", "b"]]
    [next_one] = requesting(batcher, "c")
    await settled()
    wire.answer(1)
    assert await next_one == "C"


async def test_a_caller_waits_so_long_and_no_longer_on_the_way_and_in_line(wire: Wire) -> None:
    """Each by its own time; a request goes on while somebody has time, and is given up with the last one."""
    batcher = Batcher[str, str](wire.send, replace(BOUNDS, entries=2, seconds=0.2))
    first = requesting(batcher, "a", "b")
    await settled()
    await asyncio.sleep(0.1)
    later = requesting(batcher, "c")
    await settled()
    later += requesting(batcher, "d")  # two are under way
    await settled()
    answers = await asyncio.gather(*first, return_exceptions=True)
    assert [type(answer) for answer in answers] == [TimeoutError, TimeoutError]
    await settled()
    assert wire.given_up == [["a", "b"]]
    assert wire.requests[2:] == [["d"]]
    wire.answer(1)
    assert await later[0] == "C"
    with pytest.raises(TimeoutError):
        await later[1]


async def test_a_caller_in_line_learns_when_its_time_is_over(wire: Wire) -> None:
    """Though those before it have not come back: theirs is the shorter limit only by a moment."""
    batcher = Batcher[str, str](wire.send, replace(BOUNDS, requests=1, entries=1, seconds=0.2))
    callers = requesting(batcher, "a", "b", "c")
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [TimeoutError] * 3
    sent = list(wire.requests)  # "a", and on a slow machine who was next in its last moment
    await settled()
    assert wire.requests == sent
    assert sent[0] == ["a"]


async def test_of_one_request_each_has_its_own_time(wire: Wire) -> None:
    batcher = Batcher[str, str](wire.send, replace(BOUNDS, requests=1, entries=2, seconds=2.0))
    held = requesting(batcher, "a")
    await settled()
    early = requesting(batcher, "b")
    await asyncio.sleep(1.0)
    late = requesting(batcher, "c")
    await settled()
    wire.answer(0)
    await settled()
    assert wire.requests[1:] == [["b", "c"]]
    with pytest.raises(TimeoutError):
        await early[0]
    wire.answer(1)
    assert [await held[0], await late[0]] == ["A", "C"]


async def test_who_waits_when_it_is_closed_gets_that_answer(wire: Wire, batcher: Batcher[str, str]) -> None:
    """Those on the way, and those still waiting; none hangs, and none seems cancelled by its own caller."""
    callers: list[asyncio.Task[str]] = []
    for ask in "abc":
        callers += requesting(batcher, ask)
        await settled()
    await batcher.close()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionAbortedError] * 3
    assert sorted(wire.given_up) == [["a"], ["b"]]


async def test_what_was_asked_is_forgotten_with_its_answer(wire: Wire, batcher: Batcher[str, str]) -> None:
    """At once: nothing is left to the garbage collector, which would hold up steps."""

    class Answer(str):
        """One that can be watched."""

        __slots__ = ("__weakref__",)

    answers = [Answer("A"), Answer("B")]
    watched = [weakref.ref(answer) for answer in answers]
    gc.disable()
    try:
        callers = requesting(batcher, "a", "b")
        await settled()
        wire.answer(0, answers)
        await asyncio.gather(*callers)
        await settled()
        answers.clear()
        callers.clear()
        assert [ref() for ref in watched] == [None, None]
    finally:
        gc.enable()


async def test_after_it_was_closed_time_limits_hold_again(wire: Wire) -> None:
    """A queue that was closed may be used again."""
    batcher = Batcher[str, str](wire.send, replace(BOUNDS, requests=1, entries=1, seconds=0.1))
    for number in range(2):
        callers = requesting(batcher, "a", "b")
        await settled()
        if number == 0:
            await batcher.close()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(answer) for answer in answers] == [(ConnectionAbortedError, TimeoutError)[number]] * 2
        await settled()
