"""Worlds of model calls that share a budget: production's wrapper and scripts; processes, wire and store that fail.

These worlds are apart from the large one: a call is all that there is of a job, so ten thousand of them take minutes.
Invariant: a seed alone determines a world. What a model is asked is counted where it is asked, not where it is allowed.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import BUDGET_EXCEEDED, CallModel, Work
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed, OverBudget, StepResult
from baton.engine.work_items import loop_key
from baton.sdk.records.budget import Budget, periods_around
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.running_calls import NotYetError
from baton.store.records.budgets import Reservation, Settled, Want
from baton.store.redis.budgets import Budgets
from baton.store.redis.in_process.data import Version
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.keys import budget_keys
from baton.testing.dice import Dice, number_of
from baton.testing.virtual_loop import Crashed, VirtualLoop
from baton.worker.admission.budgeted import Budgeted, Declared
from baton_events.errors import StoreError
from baton_events.schema import parse_event
from tests.contract.store.planted import Defect
from tests.simulation.budget_plan import Plan, plan_of

_T = TypeVar("_T")
_MIDNIGHT_MS = int(datetime(2026, 11, 28, tzinfo=UTC).timestamp() * 1000)
CENT = 10_000
LEASE_SECONDS, _CLAIM_SECONDS, _MINUTE_SECONDS = 120.0, 30.0, 60.0
# Of a message on its way, and of a request.
_SLOW_SECONDS = 20.0
_STATE, _WAITS = budget_keys("k", "day", "usd")
_RESERVED_CENTS = 10


class PlantedRedis(InProcessRedis):
    """A store, with a part of a script exchanged."""

    def __init__(self, now_ms: Callable[[], int], defect: Defect | None) -> None:
        super().__init__(now_ms)
        self._defect = defect

    def script(self, text: str) -> str:
        return text.replace(self._defect.old, self._defect.new) if self._defect else text


class Broken(Exception):  # noqa: N818 - a finding
    """What must hold does not."""


class WiredBudgets(Budgets):
    """Production's, behind a wire: slow, cut off before or after, and repeated by the transport."""

    def __init__(self, world: "World") -> None:
        super().__init__(InProcessConnection(world.redis))
        self._world = world

    async def reserve(self, wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        make = super().reserve
        return await self._world.request(lambda: self._reserved(make, wants, name, event, lease_ms))

    async def settle(
        self, wants: Sequence[Want], periods: Sequence[str], name: str, costs: Sequence[int | None]
    ) -> Settled:
        make = super().settle
        return await self._world.request(lambda: self._settled(make, wants, periods, name, costs))

    async def _reserved(self, make: Any, wants: Sequence[Want], name: str, *rest: Any) -> Reservation:
        found: Reservation = await make(wants, name, *rest)
        self._world.asked(name, found)
        return found

    async def _settled(
        self, make: Any, wants: Sequence[Want], periods: Sequence[str], name: str, costs: Sequence[int | None]
    ) -> Settled:
        found: Settled = await make(wants, periods, name, costs)
        self._world.over(name, costs[0], found)
        return found


class WakingBudgeted(Budgeted):
    """Production's; its messages reach the calls of this world."""

    world: "World"

    async def wake(self, events: Sequence[str], claim: Claim, why: str) -> None:
        del claim, why
        for event in events:
            self.world.woken[parse_event(event.encode()).job_id].set()


class World:
    """One world."""

    def __init__(self, plan: Plan, loop: VirtualLoop, defect: Defect | None = None) -> None:
        self.plan, self.loop, self.dice, self.limit = plan, loop, Dice(plan.seed), plan.limit_cents * CENT
        self.raised = dict[str, int]()  # by period
        self.redis = PlantedRedis(self.store_ms, defect)
        self.forgotten, self.costs = 0, Counter[str]()
        # By name, as applied: its period and amount, when that was, and its first cost.
        self.granted, self.granted_at = dict[str, tuple[str, int]](), dict[str, float]()
        self.settled, self.waits_since = dict[str, int](), dict[str, float]()
        self.waited = set[str]()
        self.begun = Counter[str]()
        self.woken = {f"job_{number}": asyncio.Event() for number in range(plan.calls)}
        self.ends = Counter[str]()
        self._rolls = 0
        self._room_since: float | None = None
        budget = Budget(
            "k", usd=plan.limit_cents / 100, reserve=_RESERVED_CENTS / 100, on_limit="wait" if plan.waits else "fail"
        )
        declared = Declared([budget], lambda _unit: 0, int(1000 * LEASE_SECONDS))
        nobody: Any = None
        self.budgets = WiredBudgets(self)
        self.budgeted = WakingBudgeted(self._ask, lambda _effect, _history: declared, self.budgets, nobody)
        self.budgeted.world = self

    def store_ms(self) -> int:
        return _MIDNIGHT_MS + int(1000 * (self.plan.begins_seconds + self.loop.seconds))

    def _today(self) -> str:
        return datetime.fromtimestamp(self.store_ms() / 1000, UTC).date().isoformat()

    def limit_of(self, period: str) -> int:
        return max(self.limit, self.raised.get(period, 0))

    def chance(self, share: float) -> bool:
        self._rolls += 1
        return self.dice.chance(share, 100, self._rolls)

    def seconds(self, most: float) -> float:
        self._rolls += 1
        return most * self.dice.roll(101, self._rolls)

    async def request(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        await asyncio.sleep(self.seconds(0.2))
        self._may_die()
        answer = await make()
        if self.chance(self.plan.repeats):
            await asyncio.sleep(self.seconds(1.0))
            answer = await make()
        if self.chance(self.plan.lost_answers):
            raise StoreError("the answer is lost")
        self._may_die()
        await asyncio.sleep(self.seconds(0.2))
        return answer

    def _may_die(self) -> None:
        if self.chance(self.plan.crashes):
            raise Crashed("the process dies")

    def sums(self) -> dict[str, int]:
        flat = self.redis.run("HGETALL", _STATE)
        fields = zip(flat[::2], flat[1::2], strict=True)
        return {name: int(text) for name, text in fields if name.startswith(("spent:", "held:"))}

    def asked(self, name: str, found: Reservation) -> None:
        now, sums = self.loop.seconds, self.sums()
        if found.outcome == "granted":
            period = found.periods[0]
            is_forgotten = self.plan.failovers and name in self.granted and self.granted[name][0] != period
            if name not in self.granted or name in self.settled or is_forgotten:
                self.granted[name] = (period, _RESERVED_CENTS * CENT)
                self.granted_at[name] = now
            true = self._today()
            first = self.granted_at[name]
            if period != true and first == now:
                raise Broken(f"periods_are_the_stores: {name} reserves in {period} on {true}")
            taken = _taken(sums, period)
            if first == now and taken > self.limit_of(period):
                raise Broken(f"a_grant_is_within_the_limit: {taken} of {self.limit_of(period)} after {name}")
            self._nobody_waited_beside_it(name, now)
        if found.outcome == "granted":
            self.waits_since.pop(name, None)
        else:
            self.waits_since.setdefault(name, now)
            self.waited.add(name)
        if (noted := self.redis.run("ZCARD", _WAITS)) > len(self.waited):
            raise Broken(f"a_call_waits_once: {noted} notes of {len(self.waited)} calls")
        self._note_room(sums, now)

    def _note_room(self, sums: dict[str, int], now: float) -> None:
        if _taken(sums, self._today()) + _RESERVED_CENTS * CENT <= self.limit_of(self._today()):
            self._room_since = now if self._room_since is None else self._room_since
        else:
            self._room_since = None

    def _nobody_waited_beside_it(self, name: str, now: float) -> None:
        since = self.waits_since.get(name)
        if since is None or self._room_since is None or self.plan.failovers:
            return
        waited = now - max(since, self._room_since)
        if waited > _MINUTE_SECONDS + 2 * _SLOW_SECONDS:
            raise Broken(f"who_waits_begins_within_a_minute: {name} has waited {waited:.0f} s beside room")

    def over(self, name: str, cost: int | None, found: Settled) -> None:
        period, amount = self.granted.get(name, ("", _RESERVED_CENTS * CENT))
        self.settled.setdefault(name, amount if cost is None else cost)
        sums = self.sums()
        fits = max(0, (self.limit_of(period) - _taken(sums, period)) // (_RESERVED_CENTS * CENT))
        if period and len(found.woken) > fits:
            raise Broken(f"only_who_has_room_is_woken: {len(found.woken)} are woken into {fits} places")
        self._note_room(sums, self.loop.seconds)

    async def _ask(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        assert isinstance(effect, CallModel)
        del history
        self._may_die()
        name = f"{claim.item_key}:{effect.lost}"
        cost = self.dice.whole(1, _RESERVED_CENTS, 102, number_of(name)) * CENT
        if self.chance(self.plan.refused):
            await asyncio.sleep(self.seconds(5.0))
            return ModelFailed(Failure("model_error", "429", retryable=True))
        self._asks(name, cost)
        await asyncio.sleep(self.seconds(20.0))
        self._may_die()
        if self.chance(self.plan.unanswered):
            return ModelFailed(Failure("model_timeout", "late", retryable=True), unanswered=True)
        return ModelAnswered("done", cost_usd=cost / 1_000_000)

    def _asks(self, name: str, cost: int) -> None:
        if name not in self.granted:
            raise Broken(f"no_call_begins_without_a_reservation: {name}")
        self.begun[name] += 1
        if self.begun[name] > 1:
            raise Broken(f"each_call_has_a_name_of_its_own: {name} is asked for {self.begun[name]} times")
        period = self.granted[name][0]
        self.costs[period] += cost
        if self.costs[period] > self.limit_of(period) + self.forgotten:
            raise Broken(f"real_calls_cost_no_more: {self.costs[period]} of {self.limit_of(period)} in {period}")

    async def _job(self, job_id: str) -> None:
        await asyncio.sleep(self.seconds(30.0))
        attempt, lost, broken_off = 1, 0, set[asyncio.Task[Any]]()
        while True:
            doing = asyncio.ensure_future(self._attempt(job_id, attempt, lost))
            if self.chance(self.plan.overtaken):
                # It stands still, or is thought dead: another process takes over while it goes on.
                done, _ = await asyncio.wait({doing}, timeout=self.seconds(10.0))
                if not done:
                    broken_off.add(doing)
                    lost += 1
                    continue
            outcome, seconds = await doing
            if outcome == "ended":
                break
            if outcome == "lost":
                lost += 1
            if outcome == "failed":
                attempt, lost = attempt + 1, 0
                if attempt > 4:
                    self.ends["failed"] += 1
                    break
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds + self.seconds(2.0)):
                    await self.woken[job_id].wait()
            self.woken[job_id].clear()
        for each in broken_off:
            await each

    async def _attempt(self, job_id: str, attempt: int, lost: int) -> tuple[str, float]:
        """Return what becomes of the call, and after how long its message comes again."""
        skew = self.plan.skew_seconds * (1 if self.chance(0.5) else -1)
        now_ms = self.store_ms() + int(1000 * skew)
        effect = CallModel(Job(job_id, "session", "acme", "a", _MIDNIGHT_MS), 1, attempt, lost=lost)
        claim = Claim(job_id, loop_key(job_id, 1, attempt), "m", "o", now_ms, 0)
        try:
            result = await self.budgeted(effect, History(), claim)
        except NotYetError as error:
            return "waits", error.wait_ms / 1000
        except (StoreError, Crashed):
            return "lost", self.seconds(_CLAIM_SECONDS)
        match result:
            case OverBudget():
                return "waits", max(0.0, (result.until_ms - self.store_ms()) / 1000)
            case ModelFailed(failure=failure) if failure.type != BUDGET_EXCEEDED:
                return "failed", self.seconds(5.0)
            case _:
                self.ends["refused" if isinstance(result, ModelFailed) else "answered"] += 1
                return "ended", 0.0

    async def _fails_over(self) -> None:
        for number in range(self.plan.failovers):
            await asyncio.sleep(self.dice.between(5, 60, 103, number))
            version: Version = self.redis.version()
            before = set(self.granted)
            await asyncio.sleep(self.dice.between(1, 15, 104, number))
            self.redis.go_back(version)
            self.forgotten += sum(amount for name, (_, amount) in self.granted.items() if name not in before)

    async def _is_raised(self) -> None:
        """Somebody raises the limit of the day, again and again until all is done."""
        for number in range(self.plan.raises):
            await asyncio.sleep(self.dice.between(20, 200, 105, number))
            limit = self.limit + self.dice.whole(1, 4, 106, number) * _RESERVED_CENTS * CENT
            while True:
                try:
                    woken = await self.request(partial(self._raise, limit))
                    self._may_die()
                    await self.budgeted.wake(woken, Claim("", "", "", "", 0, 0), "")
                    break
                except (StoreError, Crashed):
                    await asyncio.sleep(self.seconds(_CLAIM_SECONDS))

    async def _raise(self, limit: int) -> tuple[str, ...]:
        day = self._today()
        woken = await self.budgets.raise_limit("k", "day", "usd", day, limit)
        self.raised[day] = max(limit, self.raised.get(day, 0))
        self._note_room(self.sums(), self.loop.seconds)
        return woken

    async def run(self) -> None:
        """Play it.

        Raises:
            Broken: something does not hold.
        """
        others = [asyncio.ensure_future(each) for each in (self._fails_over(), self._is_raised())]
        jobs = [asyncio.ensure_future(self._job(job_id)) for job_id in self.woken]
        try:
            await asyncio.gather(*jobs)
            await asyncio.gather(*others)
        finally:
            for task in (*jobs, *others):
                task.cancel()
        await asyncio.sleep(2 * LEASE_SECONDS)
        self._sums_are_the_calls_own()

    def _sums_are_the_calls_own(self) -> None:
        """Once nothing runs nothing is reserved, and what is spent is what the calls have cost, or had reserved."""
        if self.plan.failovers:
            return
        last = periods_around("day", "UTC", self.store_ms())
        want = Want("k", "day", "usd", "UTC", self.limit, 0, last, fixed=True)
        with suppress(StopIteration):  # nothing in it waits
            Budgets(InProcessConnection(self.redis)).reserve([want], "last", "", 1).send(None)
        costs = Counter[str]()
        for name, (period, amount) in self.granted.items():
            costs[period] += self.settled.get(name, amount)
        for period in (one.name for one in last[:2]):  # older ones are forgotten
            spent, held = (self.sums().get(f"{what}:{period}@UTC", 0) for what in ("spent", "held"))
            if (spent, held) != (costs[period], 0):
                raise Broken(f"sums_are_the_calls_own: {spent} and {held} of {period}, which has cost {costs[period]}")


def _taken(sums: dict[str, int], period: str) -> int:
    return sums.get(f"spent:{period}@UTC", 0) + sums.get(f"held:{period}@UTC", 0)


def play(seed: int, defect: Defect | None = None, planted: Callable[[World], None] | None = None) -> World:
    """Play the world of a seed.

    Raises:
        Broken: something does not hold.
    """
    with closing(VirtualLoop()) as loop:
        world = World(plan_of(seed), loop, defect)
        if planted is not None:
            planted(world)
        task = loop.create_task(world.run())
        task.add_done_callback(lambda _: loop.stop())
        loop.run_until_idle()
        loop.clear()
        task.result()
        return world


def main(schedules: int, seed: int) -> None:
    """Play many worlds, and say what has become of their calls."""
    ends = Counter[str]()
    for number in range(seed, seed + schedules):
        try:
            ends += play(number).ends
        except Broken as broken:
            raise SystemExit(f"seed {number}: {broken}") from None
    sys.stdout.write(f"{schedules} worlds hold: {dict(ends)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
