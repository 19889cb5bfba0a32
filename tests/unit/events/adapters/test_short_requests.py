"""Which short COMMITs are one script, and what becomes of those that wait for it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from events.adapters.counting import counting
from events.adapters.redis import Asked, RedisConnection
from events.adapters.short_commits import HeldStep, ShortCommit, short_commit
from events.adapters.short_requests import ShortRequests
from events.core.effects import Changes, Join
from events.core.going_on import GoOn
from events.core.legs import loop_leg
from events.core.tool_use import ToolUse
from events.errors import StoreError
from events.ports.spending import NOTHING
from events.settings import Settings
from tests.contract.store.sample import JOB_ID, LEASE_MS, NOW_MS, a_job, call_leg, claim_of, leases_of, record_of

COUNTED = Changes(used=ToolUse("tool_a", failed=False, duration_ms=1), counts={"tools": 2})


class Answering(RedisConnection):
    """Notes what it is asked, and answers as `answers` says, or that all was done."""

    def __init__(self, *answers: Sequence[int] | Exception) -> None:
        super().__init__(Settings())
        self.asked: list[list[str | int]] = []
        self.beside: list[list[list[str | int]]] = []
        self._answers = list(answers)

    async def ask(
        self,
        text: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        beside: Sequence[Sequence[str | int]] = (),
    ) -> Asked:
        """Answer after a while."""
        self.asked.append(list(args))
        self.beside.append([list(command) for command in beside])
        await asyncio.sleep(0.01)
        answer = self._answers.pop(0) if self._answers else [0] * steps_in(args)
        if isinstance(answer, Exception):
            raise answer
        return Asked(answer, 1, 1)


def steps_in(args: Sequence[str | int]) -> int:
    """How many of the calls of a job it is about."""
    return sum(str(arg) == "its owner" for arg in args)


def a_short_one(position: int = 0, job_id: str = JOB_ID, result: str = '{"ok":1}') -> ShortCommit:
    """The end of a call, beside others."""
    leg = replace(call_leg(position), job_id=job_id, owner="its owner", lease_until_ms=NOW_MS + LEASE_MS)
    changes = Changes(
        join=Join(leg.group, loop_leg(job_id, 2, 1, NOW_MS)), calls=(record_of(leg),), results={leg.call_id: result}
    )
    claim = replace(claim_of(leg, owner="its owner"), job_id=job_id)
    go_on = GoOn("its owner", leases_of(), 1)
    short = short_commit(claim, changes, HeldStep(a_job(job_id, reads_history=False), leg, "{}"), go_on, (None, None))
    assert short is not None
    assert short.beside
    return short


async def all_of(requests: ShortRequests, shorts: Sequence[ShortCommit]) -> list[Any]:
    """Ask for them at once."""
    asks = [requests.ask(short, NOTHING, counting(COUNTED), alone=False) for short in shorts]
    return await asyncio.gather(*asks, return_exceptions=True)


async def test_those_of_one_job_are_one_script() -> None:
    """What is counted beside them is a sum, and the script is told what that costs."""
    redis = Answering([0, 0, 1])
    assert await all_of(ShortRequests(redis), [a_short_one(number) for number in range(3)]) == [False, False, True]
    ((job_id, commands, size_bytes, *rest),) = redis.asked
    assert (job_id, steps_in(rest)) == (JOB_ID, 3)
    (beside,) = redis.beside
    assert [command[-1] for command in beside] == [3, 6]
    assert (commands, size_bytes) == (2, sum(len(str(text)) for command in beside for text in command[1:]))


async def test_who_is_alone_asks_at_once() -> None:
    """Unless others are about to: the last one goes with those before it."""
    redis = Answering()
    requests = ShortRequests(redis)
    alone = asyncio.create_task(requests.ask(a_short_one(), NOTHING, (), alone=True))
    await asyncio.sleep(0)
    assert len(redis.asked) == 1
    await alone
    others = [requests.ask(a_short_one(number), NOTHING, (), alone=number == 2) for number in range(3)]
    await asyncio.gather(*others)
    assert [steps_in(asked) for asked in redis.asked] == [1, 3]


async def test_each_job_has_its_own() -> None:
    """Others are not kept waiting."""
    redis = Answering()
    await all_of(ShortRequests(redis), [a_short_one(number, f"job_{number % 2}") for number in range(4)])
    assert sorted(str(asked[0]) for asked in redis.asked) == ["job_0", "job_1"]


async def test_what_comes_later_is_another_script() -> None:
    """Though the first one is still under way."""
    redis = Answering()
    requests = ShortRequests(redis)
    first = asyncio.create_task(requests.ask(a_short_one(0), NOTHING, (), alone=False))
    await asyncio.sleep(0.001)
    assert await requests.ask(a_short_one(1), NOTHING, (), alone=False) is False
    assert await first is False
    assert [steps_in(asked) for asked in redis.asked] == [1, 1]


async def test_those_behind_one_that_is_refused_are_told_so() -> None:
    """None: the longer script is to be asked."""
    redis = Answering([0])
    assert await all_of(ShortRequests(redis), [a_short_one(number) for number in range(3)]) == [False, None, None]


@pytest.mark.parametrize("error", [StoreError("away"), ValueError("what?")])
async def test_whatever_goes_wrong_is_told_to_all(error: Exception) -> None:
    """And what comes then is asked for anew."""
    redis = Answering(error)
    requests = ShortRequests(redis)
    assert await all_of(requests, [a_short_one(0), a_short_one(1)]) == [error, error]
    assert await all_of(requests, [a_short_one(0)]) == [False]


async def test_who_was_first_may_be_cancelled() -> None:
    """The others get their answers."""
    requests = ShortRequests(Answering([0, 1]))
    tasks = [asyncio.create_task(requests.ask(a_short_one(number), NOTHING, (), alone=False)) for number in range(2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await asyncio.gather(*tasks[1:]) == [True]
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_much_is_more_than_one_script() -> None:
    """A request has its limits; one that is larger by itself goes alone."""
    redis = Answering()
    large = "x" * 300_000
    await all_of(ShortRequests(redis), [a_short_one(number, result=large) for number in range(3)])
    assert [steps_in(asked) for asked in redis.asked] == [1, 1, 1]
    many = Answering()
    await all_of(ShortRequests(many), [a_short_one(number) for number in range(70)])
    assert [steps_in(asked) for asked in many.asked] == [64, 6]


def test_an_event_loop_that_is_gone_keeps_nobody_waiting() -> None:
    """What was ready in it was never asked for."""
    redis = Answering()
    requests = ShortRequests(redis)

    async def given_up() -> None:
        asking = asyncio.create_task(requests.ask(a_short_one(0), NOTHING, (), alone=False))
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait([asking])

    asyncio.run(given_up())
    assert not redis.asked
    assert asyncio.run(asyncio.wait_for(requests.ask(a_short_one(1), NOTHING, (), alone=False), 5)) is False
    assert [steps_in(asked) for asked in redis.asked] == [1]
