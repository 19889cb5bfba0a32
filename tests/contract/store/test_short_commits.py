"""A short COMMIT is done where it holds, and nowhere else; either way the job goes on as with the long one."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest

from tests.contract.store.comparable import comparable
from tests.contract.store.meanwhile import MEANWHILE
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, a_job, creation
from tests.contract.store.short_and_long import Processes, Story, Told, alike, told
from tests.contract.store.walker import ODDITIES, Walker

STEPS = 5


def a_story(
    at: int = -1,
    *,
    meanwhile: str = "",
    odd: Mapping[int, str] = MappingProxyType({}),
    reads_history: bool = True,
    hops: bool = False,
) -> Story:
    """So many steps, some of them odd, and one that has something happen while it is at work."""

    async def story(processes: Processes) -> list[Any]:
        side = processes.sides[0]
        await side.store.create(creation(a_job(reads_history=reads_history)), "m1", NOW_MS)
        besides = (processes.sides[1], processes.connection)
        walker, answers = Walker("p0", side, hops=hops), list[Any]()
        for number in range(STEPS):
            happens = partial(MEANWHILE[meanwhile], *besides) if number == at and meanwhile else None
            found = await walker.step((odd[number],) if number in odd else (), happens)
            answers.append([comparable(each) for each in found] if isinstance(found, tuple) else comparable(found))
        return answers

    return story


async def both(process: RedisProcess, story: Story) -> Told:
    """The story with short COMMITs, which went as without them."""
    short, long = await told(process, story, short=True), await told(process, story, short=False)
    assert alike(short, long)
    assert long.done == long.refused == 0
    return short


@pytest.mark.parametrize("hops", [True, False])
@pytest.mark.parametrize("reads_history", [True, False])
async def test_each_step_of_a_plain_job_is_a_short_one(
    redis_process: RedisProcess, *, reads_history: bool, hops: bool
) -> None:
    """From the first one on, in place or with a message for each."""
    short = await both(redis_process, a_story(reads_history=reads_history, hops=hops))
    assert (short.done, short.refused) == (STEPS, 0)


@pytest.mark.parametrize("hops", [True, False])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
async def test_what_happened_meanwhile_is_the_long_ones(
    redis_process: RedisProcess, meanwhile: str, at: int, *, hops: bool
) -> None:
    """Whether a call (1) is at work, or what follows it (2): a turn, or taking its result in.

    Nothing depends on the job's text where a turn writes it, nor on the history where nobody is told it.
    """
    short = await both(redis_process, a_story(at, meanwhile=meanwhile, hops=hops))
    harmless = meanwhile == "an older version" if hops else (meanwhile, at) == ("another job text", 2)
    assert short.refused == (not harmless)


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("oddity", ODDITIES)
async def test_what_is_out_of_the_ordinary_is_the_long_ones(redis_process: RedisProcess, oddity: str, at: int) -> None:
    """What is known beforehand is not even tried."""
    short = await both(redis_process, a_story(odd={at: oddity}))
    unknown = oddity in ("text", "other run")
    assert short.refused == unknown


@pytest.mark.parametrize("reads_history", [True, False])
async def test_calls_at_once_end_by_short_ones(redis_process: RedisProcess, *, reads_history: bool) -> None:
    """Each of them, and the last one begins the next turn."""
    short = await both(redis_process, a_story(odd={0: "two calls"}, reads_history=reads_history))
    assert (short.done, short.refused) == (STEPS - 1, 0)


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
async def test_what_happened_while_one_of_them_was_at_work(
    redis_process: RedisProcess, meanwhile: str, at: int
) -> None:
    """What the next turn is told matters to the last one only."""
    short = await both(redis_process, a_story(at, meanwhile=meanwhile, odd={0: "two calls"}))
    if meanwhile in ("another job text", "an older version"):
        assert short.refused == 1


@pytest.mark.parametrize("second", ODDITIES)
@pytest.mark.parametrize("first", ["two calls", "two groups"])
async def test_what_is_out_of_the_ordinary_about_one_of_two_calls(
    redis_process: RedisProcess, first: str, second: str
) -> None:
    """Of the turn's group, or not."""
    await both(redis_process, a_story(odd={0: first, 1: second}))


async def test_a_store_without_sha1_is_asked_for_long_ones(redis_process: RedisProcess) -> None:
    """And is not asked in vain."""
    plain = await told(redis_process, a_story(), short=True, found="server.sha1hex", instead="server.no_such_function")
    assert (plain.done, plain.refused) == (0, 0)
