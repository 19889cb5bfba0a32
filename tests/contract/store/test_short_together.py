"""Calls at once that end at the same time are one short COMMIT, which leaves and says what one for each would."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from events.adapters import keys
from tests.contract.store.comparable import comparable
from tests.contract.store.meanwhile import MEANWHILE
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, a_job, call_leg, creation
from tests.contract.store.short_and_long import Processes, Story, alike, told
from tests.contract.store.walker import Walker

CALLS = 5

_Ending = Callable[[Walker, Processes], Awaitable[list[Any]]]


def a_story(end: _Ending, *, reads_history: bool = True) -> Story:
    """A turn asks for five calls, which end, and one more step is done."""

    async def story(processes: Processes) -> list[Any]:
        side = processes.sides[0]
        await side.store.create(creation(a_job(reads_history=reads_history)), "m1", NOW_MS)
        walker = Walker("p0", side)
        _, asked = await walker.step(("five calls",))
        assert len(asked.claimed) == CALLS
        answers = [comparable(each) for each in await end(walker, processes)]
        found = await walker.step()
        return [*answers, [comparable(each) for each in found] if isinstance(found, tuple) else comparable(found)]

    return story


async def at_once(walker: Walker, _: Processes) -> list[Any]:
    """All of them in the same moment."""
    return list(await walker.at_once())


async def in_a_row(walker: Walker, _: Processes) -> list[Any]:
    """One after the other, in the order of their calls."""
    walker.held.reverse()
    return [(await walker.step())[1] for _ in range(CALLS)]


@pytest.mark.parametrize("reads_history", [True, False])
async def test_they_are_one_script(redis_process: RedisProcess, *, reads_history: bool) -> None:
    """The first turn is a long one or not; then one for all the calls, and one for what follows."""
    together = await told(redis_process, a_story(at_once, reads_history=reads_history), short=True)
    assert (together.done, together.refused) == (CALLS + 1, 0)
    assert together.asked == [CALLS, 1]


@pytest.mark.parametrize("reads_history", [True, False])
async def test_it_leaves_what_one_for_each_leaves(redis_process: RedisProcess, *, reads_history: bool) -> None:
    """But what it cost; and it says the same."""
    together = await told(redis_process, a_story(at_once, reads_history=reads_history), short=True)
    apart = await told(redis_process, a_story(in_a_row, reads_history=reads_history), short=True)
    long = await told(redis_process, a_story(at_once, reads_history=reads_history), short=False)
    assert alike(together, apart)
    assert alike(together, long)
    assert apart.asked == [1] * (CALLS + 1)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
async def test_what_happened_meanwhile_is_the_long_ones(redis_process: RedisProcess, meanwhile: str) -> None:
    """Whichever of them it concerns."""

    async def end(walker: Walker, processes: Processes) -> list[Any]:
        besides = (processes.sides[1], processes.connection)
        return list(await walker.at_once(meanwhile=partial(MEANWHILE[meanwhile], *besides)))

    together = await told(redis_process, a_story(end), short=True)
    long = await told(redis_process, a_story(end), short=False)
    assert alike(together, long)


@pytest.mark.parametrize("position", range(CALLS))
async def test_those_before_one_that_is_refused_are_done(redis_process: RedisProcess, position: int) -> None:
    """Its claim has said something, which is the long one's to close; it and those behind it come then, in order."""

    async def end(walker: Walker, processes: Processes) -> list[Any]:
        state, field = keys.state_key(call_leg(0).job_id), f"leg:{call_leg(position).key}"
        text = await processes.connection.execute("HGET", state, field)
        await processes.connection.execute("HSET", state, field, text.replace('"appended":0', '"appended":1'))
        return list(await walker.at_once())

    together = await told(redis_process, a_story(end), short=True)
    long = await told(redis_process, a_story(end), short=False)
    assert alike(together, long)
    assert together.asked == [CALLS, 1]
    assert together.refused == CALLS - position


async def test_nobody_is_told_what_follows(redis_process: RedisProcess) -> None:
    """There is no room for it: what was said need not be known, and is known to the store."""

    async def end(walker: Walker, _: Processes) -> list[Any]:
        return list(await walker.at_once(("room for none",)))

    together, long = (
        await told(redis_process, a_story(end), short=True),
        await told(redis_process, a_story(end), short=False),
    )
    assert alike(together, long)
    assert together.asked[0] == CALLS
    assert not together.refused


async def test_another_process_has_ended_one_of_them(redis_process: RedisProcess) -> None:
    """What was said is not as it was known: those that nothing follows are done, and the last one is a long one."""

    async def end(walker: Walker, processes: Processes) -> list[Any]:
        last = walker.held.pop()
        await Walker("p0", processes.sides[1], held=[last], count=50).at_once()
        return list(await walker.at_once())

    together, long = (
        await told(redis_process, a_story(end), short=True),
        await told(redis_process, a_story(end), short=False),
    )
    assert alike(together, long)
    assert (together.asked[0], together.refused) == (CALLS - 1, 1)
