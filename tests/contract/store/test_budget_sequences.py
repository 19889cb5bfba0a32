"""Generated sequences of calls with a budget, beside the rule in Python: each answer and each sum is as it says.

In this process: the scripts are those of production.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - sequences come from a seed

import pytest
from msgspec.structs import replace

from baton.store.redis.connection import RedisConnection
from tests.contract.store.budget_world import DAY_MS, LEASE_MS, World
from tests.contract.store.planted import planted_connection
from tests.contract.store.planted_budgets import BUDGET
from tests.contract.store.side import in_process

LIMIT, STEPS, SEQUENCES = 100, 60, 40
# What sequences of calls alone find; limits, zones, events and expiry have tests of their own.
FOUND = (
    "what others have reserved is not in the way",
    "what others have reserved counts as spent",
    "the last call that fits does not",
    "who asks again reserves again",
    "who asks again has no longer lease",
    "settled twice counts twice",
    "a call without an answer costs nothing",
    "free by time",
    "what counted by its lease counts twice",
    "the end of a lease ends them all",
    "no later lease ends",
    "others begin beside an unknown price",
    "an unknown price begins beside others",
    "an unknown price is alone for good",
    "the largest call of the last period is forgotten",
    "a declared amount is raised",
    "a dear call closes the next period",
    "a call settles in the period of its end",
)


@dataclass
class Made:
    """A call. `amount`: what it reserves, then what it has cost. `till_ms`: its lease, then how long it is known."""

    day: int
    till_ms: int
    amount: int
    alone: bool
    state: str = "open"


@dataclass
class Rule:
    """The rule, over all calls that were ever made."""

    now_ms: int = 0
    calls: dict[str, Made] = field(default_factory=dict[str, Made])

    @property
    def day(self) -> int:
        return self.now_ms // DAY_MS

    def sums(self, day: int) -> tuple[int, int]:
        """What is spent and reserved on a day."""
        of_day = [call for call in self.calls.values() if call.day == day]
        held = sum(call.amount for call in of_day if call.state == "open")
        return sum(call.amount for call in of_day) - held, held

    def reserve(self, name: str, amount: int | None, *, fixed: bool) -> str:
        """Whether a call begins."""
        for call in self.calls.values():
            if call.state == "open" and call.till_ms <= self.now_ms:
                call.state, call.till_ms = "lapsed", self.now_ms + DAY_MS
        till_ms, again = self.now_ms + LEASE_MS, self.calls.get(name)
        if again is not None and again.state == "open":
            again.till_ms = max(again.till_ms, till_ms)
            return "granted"
        costs = [c.amount for c in self.calls.values() if c.state == "settled" and self.day - c.day in (0, 1)]
        known = min(max(costs, default=0), LIMIT)
        asked = amount if fixed or not known else max(amount or 0, known)
        spent, held = self.sums(self.day)
        in_flight = [call for call in self.calls.values() if call.state == "open" and call.day == self.day]
        if spent >= LIMIT or spent + (asked or 0) > LIMIT:
            return "used_up"
        if any(call.alone for call in in_flight) or (asked is None and in_flight):
            return "busy"
        if spent + held + (asked or 0) > LIMIT:
            return "busy"
        self.calls[name] = Made(self.day, till_ms, asked or 0, asked is None)
        return "granted"

    def settle(self, name: str, cost: int | None) -> None:
        """A call is over; None: without an answer."""
        call = self.calls[name]
        if call.state != "settled":
            call.state, call.amount = "settled", call.amount if cost is None else cost


class Sequence:
    """One sequence on both sides."""

    def __init__(self, redis: RedisConnection, seed: int) -> None:
        self.chance, self.world = Random(seed), World(redis)
        self.world.now_ms += seed * 10 * DAY_MS  # the sequences of one store do not meet
        self.rule = Rule(self.world.now_ms)

    async def play(self) -> None:
        """Call, settle and wait at random; in the end everything is settled, and sums are costs."""
        for step in range(STEPS):
            await self._step(f"c{step}")
        for name, call in [*self.rule.calls.items()]:
            if call.state == "open":
                await self._settle(name)
        await self._compare()

    async def _step(self, name: str) -> None:
        kind = self.chance.choices(("reserve", "again", "settle", "wait"), (8, 5, 6, 5))[0]
        known = [*self.rule.calls]
        if kind == "wait":
            self._wait(self.chance.choices((1_000, LEASE_MS // 3, LEASE_MS, DAY_MS), (4, 6, 1, 2))[0])
        elif kind == "reserve" or not known:
            await self._reserve(name)
        elif kind == "again":
            await self._reserve(self.chance.choice(known[-4:]))
        else:
            await self._settle(self.chance.choice(known[-8:]))
        await self._compare()

    def _wait(self, much_ms: int) -> None:
        self.world.now_ms += much_ms
        self.rule.now_ms += much_ms

    async def _reserve(self, name: str) -> None:
        call = self.rule.calls.get(name)
        if call is not None and (call.state != "open" or call.till_ms <= self.rule.now_ms):
            return  # its name is used up: a later attempt has one of its own
        amount = self.chance.choice((None, 1, 7, 30, 55, 100, 101))
        fixed = amount is not None and self.chance.random() < 0.7
        want = replace(self.world.want(amount, limit=LIMIT), fixed=fixed)
        answer = await self.world.reserve(name, want)
        before = self.rule.sums(self.rule.day)
        expected = self.rule.reserve(name, amount, fixed=fixed)
        assert answer.outcome == expected, (name, amount, fixed, before)
        if expected == "granted" and call is None:
            assert sum(self.rule.sums(self.rule.day)) <= LIMIT

    async def _settle(self, name: str) -> None:
        if self._is_forgotten(name):
            return
        cost = self.chance.choice((None, 0, 1, 9, 40, 60, 120))
        await self.world.settle(name, cost, period=self._period())
        self.rule.settle(name, cost)

    def _is_forgotten(self, name: str) -> bool:
        """Whether its name may be unknown by now: a settled call is known for its lease, a lost one for a day."""
        call = self.rule.calls[name]
        return call.state != "open" and call.till_ms <= self.rule.now_ms

    def _period(self) -> str:
        return self.world.want().periods[1].name  # wrong where the call is of yesterday: its name finds it

    async def _compare(self) -> None:
        rows, _ = await self.world.budgets.rows("acme")
        for row in rows:
            spent, held = self.rule.sums(self.rule.day)
            assert row.spent + row.reserved == spent + held
            if not any(call.state == "open" and call.till_ms <= self.rule.now_ms for call in self.rule.calls.values()):
                assert (row.spent, row.reserved) == (spent, held)


async def _play(redis: RedisConnection) -> None:
    for seed in range(SEQUENCES):
        await redis.execute("FLUSHALL")
        await Sequence(redis, seed).play()


async def test_sequences_of_calls_follow_the_rule() -> None:
    """Nothing begins above the limit, and once everything is settled the sums are what it has cost."""
    await _play(in_process())


@pytest.mark.parametrize("name", FOUND)
def test_sequences_find_a_planted_defect(name: str) -> None:
    [defect] = [each for each in BUDGET if each.name == name]
    connection, redis = planted_connection(defect)
    with pytest.raises(AssertionError):
        asyncio.run(_play(connection))
    assert redis.planted
