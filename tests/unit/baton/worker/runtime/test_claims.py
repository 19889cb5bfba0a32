"""How long a step is claimed; claims while their work goes on: prolonged, lost, given back by who has to stop."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import Claim
from baton.engine.work_items import FOLLOW_UPS, ItemKind, WorkItem, item_key_of
from baton.queue.dispatch import Outcome
from baton.worker.runtime import claims as claims_module
from baton.worker.runtime import policy
from baton.worker.runtime.claims import Claims, Holding
from baton.worker.runtime.policy import (
    LEASE_MARGIN_MS,
    LEASE_MS,
    RENEW_SECONDS,
    SPREAD_MS,
    TOGETHER_SECONDS,
    Policy,
    Suspects,
)
from baton.worker.runtime.spec import work_limits_ms
from baton_events.errors import OWN_CODEC, BatonError, StoreError, UnreadablePayloadError
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage

STEP_SECONDS = 0.02
POLICY, CALL = Policy({ItemKind.CALL: 60_000}), ItemKind.CALL


class Observed(FakeStore):
    """A store that keeps what is asked of claims. `fails`: how many prolongations fail."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed: list[list[str]] = []
        self.given_back: list[str] = []
        self.fails = 0
        self.failing: BatonError = StoreError("the store is away")
        self.requested = asyncio.Event()

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        self.renewed.append(sorted(claim.item_key for claim in claims))
        self.requested.set()
        if len(self.renewed) <= self.fails:
            raise self.failing
        return await super().renew(claims, lease_until_ms)

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        self.given_back.append(claim.item_key)
        return await super().give_back(claim, now_ms, begun=begun)


class Work:
    """A call that takes its time when it runs first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        monkeypatch.setattr(claims_module, "RENEW_SECONDS", STEP_SECONDS)
        monkeypatch.setattr(claims_module, "TOGETHER_SECONDS", STEP_SECONDS / 8)
        monkeypatch.setattr(claims_module, "AGAIN_SECONDS", STEP_SECONDS)
        self.began, self.starts = asyncio.Event(), 0

        @tool(retries=0)
        async def slow(n: int) -> int:
            self.starts += 1
            self.began.set()
            await asyncio.sleep(seconds if self.starts == 1 else 0)
            return n

        agent = Agent("slow", model=ScriptedModel([[Call("slow", {"n": 1})], "done"]), tools=[slow])
        self.store = Observed()
        settings = replace(SETTINGS, continuation="inline")
        self.stage = Stage(settings=settings, store=self.store, registry=Registry([agent]))

    async def at_work(self) -> asyncio.Task[Outcome]:
        """The delivery of the job's first event, whose call has begun."""
        delivery = asyncio.create_task(self.stage.deliver(await self.stage.submit("slow")))
        await self.began.wait()
        return delivery

    async def item(self) -> WorkItem:
        return next(item for item in await self.stage.items() if item.call_id)


def timers_of(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For when the loop's timers are armed."""
    loop, armed = asyncio.get_running_loop(), list[float]()
    arm = loop.call_at

    def call_at(when: float, *rest: Any, **named: Any) -> asyncio.TimerHandle:
        armed.append(when)
        return arm(when, *rest, **named)

    monkeypatch.setattr(loop, "call_at", call_at)
    return armed


def claim_of(number: int, now_ms: int) -> Claim:
    return Claim(f"job_{number}", f"call:c{number}:1", "m", "o", now_ms, now_ms + LEASE_MS)


async def test_one_timer_serves_all_steps_of_an_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later step's claim is not prolonged where the first one's would have been; nothing is left of the timer."""
    monkeypatch.setattr(claims_module, "RENEW_SECONDS", 10 * STEP_SECONDS)
    monkeypatch.setattr(claims_module, "TOGETHER_SECONDS", STEP_SECONDS)
    store, clock, armed = Observed(), FakeClock(), timers_of(monkeypatch)
    claims, claim = Claims(store, clock, POLICY), claim_of(1, clock.now_ms())
    for _ in range(5):
        async with Holding(claims, claim, CALL):
            await asyncio.sleep(0)
    assert len(armed) == 1
    await asyncio.sleep(7 * STEP_SECONDS)
    async with Holding(claims, claim, CALL):
        await asyncio.sleep(7 * STEP_SECONDS)  # past the first one's time
        assert store.renewed == []
        async with asyncio.timeout(5):
            await store.requested.wait()
    claims.rest()
    before = len(store.renewed)
    await asyncio.sleep(15 * STEP_SECONDS)
    assert len(store.renewed) == before


async def test_a_claim_whose_answer_took_long_is_prolonged_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, armed = FakeClock(), timers_of(monkeypatch)
    claim = claim_of(1, clock.now_ms())
    clock.ms += 3_000
    claims = Claims(Observed(), clock, POLICY)
    async with Holding(claims, claim, CALL):
        left_seconds = armed[0] - asyncio.get_running_loop().time()
    claims.rest()
    assert left_seconds <= RENEW_SECONDS - 3.0 + TOGETHER_SECONDS


@pytest.mark.parametrize("error", [StoreError("the store is away"), UnreadablePayloadError(OWN_CODEC, "is not ready")])
async def test_work_that_goes_on_keeps_its_claim(monkeypatch: pytest.MonkeyPatch, error: BatonError) -> None:
    """Again and again; also where the store has failed meanwhile, or a codec's keys could not be had for a moment."""
    work = Work(monkeypatch, 8 * STEP_SECONDS)
    work.store.fails, work.store.failing = 1, error
    delivery = await work.at_work()
    work.stage.clock.ms += 5_000
    async with asyncio.timeout(5):
        for _ in range(3):
            work.store.requested.clear()
            await work.store.requested.wait()
    item = await work.item()
    assert item.lease_until_ms == work.stage.clock.ms + LEASE_MS
    await delivery
    assert {*map(tuple, work.store.renewed)} == {(item.key,)}
    assert work.store.given_back == []
    before = len(work.store.renewed)
    await asyncio.sleep(2 * STEP_SECONDS)
    assert len(work.store.renewed) == before


async def test_what_somebody_else_works_on_is_prolonged_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prolongation that comes late steals nothing; what is done may still be first."""
    work = Work(monkeypatch, 6 * STEP_SECONDS)
    delivery = await work.at_work()
    item, now_ms = await work.item(), work.stage.clock.ms + 2 * LEASE_MS
    work.stage.clock.ms = now_ms
    await work.store.claim(Claim(item.job_id, item.key, "m9", "other", now_ms, now_ms + LEASE_MS, item.call_id))
    await work.store.requested.wait()
    assert (await work.item()).owner == "other"
    await delivery
    assert len(work.store.renewed) == 1


async def test_what_hangs_beyond_its_limit_is_prolonged_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else takes over in the end."""
    work = Work(monkeypatch, 5 * STEP_SECONDS)
    delivery = await work.at_work()
    work.stage.clock.ms += 1_000_000
    await delivery
    assert work.store.renewed == []


async def test_a_process_that_stops_gives_back_what_it_works_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is delivered its event runs it at once, and no death is counted; the log says so."""
    work = Work(monkeypatch, 1_000)
    delivery = await work.at_work()
    work.stage.container.stopping.begun = True
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    item = await work.item()
    assert (work.store.given_back, item.owner, item.abandoned) == ([item.key], "", 0)
    assert caplog.messages == [f"{item.key} is broken off, because the process stops. It runs again once one serves"]
    await work.stage.container.stopping.work_is_given_back()
    again = work.stage.events()[-1]
    assert item_key_of(again) == item.key
    work.stage.container.stopping.begun = False
    await work.stage.deliver(again, "m-again")
    await work.stage.run()
    job = (await work.stage.snapshot()).job
    assert (work.starts, job.result) == (2, {"answer": "done"})


async def test_of_those_that_died_before_one_is_worked_on_at_a_time() -> None:
    """Others do not wait for them; they come one after the other."""
    fresh = WorkItem("call:a:1", ItemKind.CALL, "a", 1, 1)
    died, suspects = structs.replace(fresh, abandoned=1), Suspects()
    with ExitStack() as stack:
        waits = [stack.enter_context(suspects.turn_of(item)) for item in (died, died, died, fresh)]
        assert waits == [0, SPREAD_MS, 2 * SPREAD_MS, 0]
    with suspects.turn_of(died) as again:
        assert again == 0


async def test_who_waits_for_a_turn_waits_as_long_as_those_before_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is let in for each that ends, in the order of their coming; where none ends, nobody waits for long."""
    monkeypatch.setattr(policy, "SPREAD_MS", 50)
    died, suspects = WorkItem("call:a:1", ItemKind.CALL, "a", 1, 1, abandoned=1), Suspects()
    with suspects.turn_of(died):
        first, second = (asyncio.create_task(suspects.turn_comes(60)) for _ in range(2))
        given_up = asyncio.create_task(suspects.turn_comes(0))
        await asyncio.sleep(0)
        assert await given_up is False
    await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
    assert (first.done(), second.done()) == (True, False)
    with suspects.turn_of(died):
        assert (await first, await second) == (True, False)
    assert await suspects.turn_comes(60), "nobody is at work"


async def test_claims_of_a_process_are_prolonged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun at twenty different times, they come due at a few: what is asked at the same time is one request."""
    monkeypatch.setattr(claims_module, "RENEW_SECONDS", 0.4)
    store, loop, clock = Observed(), asyncio.get_running_loop(), FakeClock()
    async with contextlib.AsyncExitStack() as stack:
        for n in range(20):
            await stack.enter_async_context(Holding(Claims(store, clock, POLICY), claim_of(n, clock.now_ms()), CALL))
            await asyncio.sleep(0.005)
        began, rounds = loop.time(), 0
        while len(store.renewed) < 20:
            before = len(store.renewed)
            await asyncio.sleep(0)
            rounds += len(store.renewed) > before
            assert loop.time() < began + 10
    assert rounds <= 5


async def test_who_is_over_does_not_keep_the_others_from_being_prolonged(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are held by the same invocation."""
    monkeypatch.setattr(claims_module, "RENEW_SECONDS", STEP_SECONDS)
    store, clock = Observed(), FakeClock()
    claims, one, other = Claims(store, clock, POLICY), claim_of(1, clock.now_ms()), claim_of(2, clock.now_ms())
    async with Holding(claims, one, CALL), Holding(claims, other, CALL):
        claims.done(one)
        await asyncio.wait_for(store.requested.wait(), 30)
    assert store.renewed[0] == [other.item_key]


def test_a_claim_is_prolonged_well_before_it_ends() -> None:
    """It may miss one time."""
    for now_seconds in (0.0, 0.1, 3.99, 1e6 + 0.26):
        first = claims_module.next_step(now_seconds)
        assert RENEW_SECONDS <= first - now_seconds <= 1.125 * RENEW_SECONDS + 1e-6
        second = claims_module.next_step(first + 0.01, again=True)
        assert second - first == pytest.approx(RENEW_SECONDS)
        assert second - now_seconds < LEASE_MS / 1000 - 2


WORK_MS = SETTINGS.work_timeout_seconds * 1000


@pytest.mark.parametrize(
    ("seconds", "call_ms"),
    [((3.0, 0.75), 6_000), ((0.0015,), 3), ((WORK_MS / 1000 + 1,), WORK_MS), ((), 0)],
    ids=["the longest", "rounded up", "no longer than any work", "no tool"],
)
def test_a_call_may_take_twice_as_long_as_a_tool(seconds: tuple[float, ...], call_ms: int) -> None:
    """It may wait for an earlier attempt first. Whatever takes in results does no work at all."""

    async def act() -> None:
        pass

    tools = [tool(timeout_seconds=limit, name=f"act_{place}")(act) for place, limit in enumerate(seconds)]
    limits = work_limits_ms(SETTINGS.work_timeout_seconds, tools)
    assert limits == {ItemKind.CALL: call_ms, **dict.fromkeys((ItemKind.LOOP, *FOLLOW_UPS), WORK_MS)}


@pytest.mark.parametrize(
    ("inline", "via_admission", "kinds"),
    [
        (True, False, {ItemKind.CALL, ItemKind.COMPLETE, ItemKind.SLOT_REQUEST}),
        (False, True, {ItemKind.CALL, ItemKind.COMPLETE, ItemKind.SLOT_REQUEST}),
        (False, False, {ItemKind.SLOT_REQUEST}),
    ],
)
def test_what_is_gone_on_with_is_claimed_as_what_a_message_of_its_own_claims(
    *, inline: bool, via_admission: bool, kinds: set[ItemKind]
) -> None:
    """Whatever it is; how long it is prolonged depends on how long it may take."""
    limits: Mapping[ItemKind, int] = {ItemKind.LOOP: WORK_MS, ItemKind.CALL: 5_000}
    policy = Policy(limits, inline=inline, continues=frozenset({ItemKind.CALL, ItemKind.COMPLETE}))
    assert policy.leases_ms(via_admission=via_admission) == dict.fromkeys(kinds, LEASE_MS)
    assert policy.longest_ms(ItemKind.LOOP) == WORK_MS + LEASE_MARGIN_MS
    assert policy.longest_ms(ItemKind.COMPLETE) == LEASE_MARGIN_MS
