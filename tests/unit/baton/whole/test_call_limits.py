"""Calls that share a limit: they wait without a process, begin in time, and are begun no more often for it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import pytest

from baton import Agent, Call, CallLimit, Limits, Registry, ScriptedModel, ToolError, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Work
from baton.engine.outbox import event_of
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed, StepResult
from baton.engine.work_items import loop_item
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.running_calls import NotYetError
from baton.store.records.call_limits import PLACE_MS, CallAnswer, KeyLimit, NamedCall
from baton.store.redis.call_limits import CallLimits
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.testing import Run, Simulation
from baton.testing.dice import Dice
from baton.worker.admission.limited_calls import Limited
from baton.worker.executors.bounded import limits_by
from baton_events.errors import PublishError
from baton_events.schema import encode_event
from tests.fakes.stored import FakeConnection
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.following import in_virtual_time

RUNNING: list[int] = []
MOST: list[int] = []
STARTS: list[float] = []


def _now() -> float:
    return asyncio.get_running_loop().time()


@tool(call_limits=[CallLimit("desk", in_flight=1)])
async def sign(page: int) -> int:
    RUNNING.append(page)
    MOST.append(len(RUNNING))
    await asyncio.sleep(3)
    RUNNING.remove(page)
    return page


@tool(call_limits=[CallLimit("stamps", in_flight=1)])
async def stamp(page: int) -> int:
    await asyncio.sleep(25)
    return page


@tool(call_limits=[CallLimit(lambda call: f"street:{call.arguments['street']}", per_minute=30)])
async def deliver(street: str) -> str:
    STARTS.append(_now())
    return street


@tool(call_limits=[CallLimit("seal", per_minute=30, in_flight=1)])
async def seal(page: int, seconds: float) -> int:
    STARTS.append(_now())
    await asyncio.sleep(seconds)
    return page


@tool(retries=2, call_limits=[CallLimit("bank", per_minute=6_000)])
async def pay(euros: int) -> int:
    STARTS.append(_now())
    if len(STARTS) == 1:
        raise ToolError("too many requests", retryable=True, retry_after_seconds=40)
    return euros


@tool(call_limits=[CallLimit(lambda call: call.arguments["no such"], in_flight=1)])
async def lost(page: int) -> int:
    return page


def _agent(*calls: Call, **options: Any) -> Agent:
    model = ScriptedModel([list(calls), "done"])
    return Agent(
        name="clerk", model=model, tools=[sign, stamp, seal, deliver, pay, lost], limits=Limits(turns=9), **options
    )


@pytest.fixture(autouse=True)
def empty() -> None:
    for each in (RUNNING, MOST, STARTS):
        each.clear()


async def _run(*calls: Call, **options: Any) -> Run:
    run = await Simulation(Registry([_agent(*calls, **options)])).run("clerk", "work")
    assert run.status == "completed", run.error
    return run


async def test_calls_take_turns_at_a_place() -> None:
    run = await _run(*(Call("sign", {"page": page}) for page in range(4)))
    assert MOST == [1, 1, 1, 1]
    assert [start.attempt for start in run.tool_starts] == [1, 1, 1, 1]
    assert run.virtual_seconds < 60  # woken, not asking each minute


async def test_a_call_that_waits_for_long_comes_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: Counter[str] = Counter()
    begin_call = CallLimits.begin_call

    async def counted(*arguments: Any) -> Any:
        requested[arguments[2].name] += 1
        return await begin_call(*arguments)

    monkeypatch.setattr(CallLimits, "begin_call", counted)
    run = await _run(*(Call("stamp", {"page": page}) for page in range(30)))
    assert run.virtual_seconds > 600
    assert max(requested.values()) <= run.virtual_seconds / 60 + 6  # five more are of the minute in which all came


async def test_calls_begin_as_often_as_their_key_lets_them() -> None:
    await _run(*(Call("deliver", {"street": street}) for street in ("Elm", "Elm", "Elm", "Oak")))
    seconds = [round(start - STARTS[0]) for start in sorted(STARTS)]
    assert seconds == [0, 0, 2, 4]


async def test_calls_that_waited_for_a_place_begin_evenly_too() -> None:
    slow = [Call("seal", {"page": page, "seconds": 28}) for page in range(8)]
    quick = [Call("seal", {"page": page, "seconds": 0}) for page in range(40)]
    run = await Simulation(Registry([_agent(*slow, *quick)])).run("clerk", "Seal them.")
    assert run.status == "completed"
    assert max(sum(at <= other < at + 60 for other in STARTS) for at in STARTS) <= 31


async def test_what_the_other_side_asks_for_holds_for_all_calls_of_the_tenant() -> None:
    """No call of the key begins in the meantime, whoever was told."""
    await _run(Call("pay", {"euros": 1}), Call("pay", {"euros": 2}), Call("pay", {"euros": 3}))
    assert len(STARTS) == 4
    assert sum(start - STARTS[0] < 39 for start in STARTS) <= 2  # the other one had begun


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -5.0, 3e9, "soon", None, 10**400, "30"])
async def test_a_wait_without_sense_repeats_no_call_and_ends_within_an_hour(seconds: Any) -> None:
    """Neither of a tool that is not retried, nor of one that is."""

    @tool(retries=0, call_limits=[CallLimit("bank", per_minute=6_000)])
    async def charge() -> int:
        STARTS.append(_now())
        raise ToolError("busy", retry_after_seconds=seconds)

    @tool(retries=1)
    async def refund() -> int:
        STARTS.append(_now())
        raise ToolError("busy", retryable=True, retry_after_seconds=seconds)

    for made, starts in ((charge, 1), (refund, 2)):
        STARTS.clear()
        agent = Agent(name="clerk", model=ScriptedModel([[Call(made.name, {})], "done"]), tools=[made])
        run = await Simulation(Registry([agent])).run("clerk", "work")
        assert (run.status, len(STARTS)) == ("completed", starts), run.error
        assert run.virtual_seconds < 3_700


async def test_a_tool_without_limits_waits_as_its_service_requests() -> None:
    @tool(retries=1, retry_delay_seconds=1)
    async def book() -> int:
        STARTS.append(_now())
        raise ToolError("busy", retryable=True, retry_after_seconds=30)

    agent = Agent(name="clerk", model=ScriptedModel([[Call("book", {})], "done"]), tools=[book])
    await Simulation(Registry([agent])).run("clerk", "work")
    assert 29 <= STARTS[1] - STARTS[0] <= 32


async def test_a_key_that_fails_is_the_calls_failure() -> None:
    run = await _run(Call("lost", {"page": 1}))
    assert "limit_key_failed" in str(run.model_messages)


async def test_limits_of_one_key_hold_together() -> None:
    """Of two of a kind the lower one does."""
    starts: list[float] = []
    limits = [CallLimit("ink", per_minute=30), CallLimit("ink", in_flight=1), CallLimit("ink", per_minute=600)]

    @tool(call_limits=limits)
    async def write(page: int) -> int:
        starts.append(_now())
        RUNNING.append(page)
        MOST.append(len(RUNNING))
        await asyncio.sleep(3)
        RUNNING.remove(page)
        return page

    calls = [Call("write", {"page": page}) for page in range(3)]
    for kept in (limits, limits[::-1]):
        starts.clear()
        made = replace(write, call_limits=kept)
        agent = Agent("clerk", ScriptedModel([calls, "done"]), tools=[made])
        assert (await Simulation(Registry([agent])).run("clerk", "work")).status == "completed"
        assert min(later - earlier for earlier, later in pairwise(sorted(starts))) >= 1.9
        assert set(MOST) == {1}


async def test_a_model_waits_for_its_provider() -> None:
    run = await _run(Call("deliver", {"street": "Elm"}), call_limits=[CallLimit("provider", per_minute=1)])
    assert run.virtual_seconds >= 59


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"key": ""}, "1 to 200 characters"),
        ({"key": "x"}, "pass per_minute, in_flight"),
        ({"key": "x", "per_minute": 0}, "per_minute must be more than 0"),
        ({"key": "x", "in_flight": 1.5}, "in_flight must be a whole number"),
    ],
)
def test_a_limit_of_nothing_is_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        CallLimit(**options)


@pytest.mark.long
async def test_a_death_at_any_point_changes_nothing() -> None:
    """Places and moments are there for who comes again."""
    agent = _agent(*(Call("sign", {"page": page}) for page in range(2)), Call("deliver", {"street": "Elm"}))
    report = await Simulation(Registry([agent]), fresh=RUNNING.clear).crash_everywhere("clerk", "work")
    report.check()
    assert len(report.points) > 10


JOBS, A_SECOND = 1_000, 10
LEASE_MS = 100_000
_NOTHING = History((), {})


class Provider:
    """Takes ten calls a second, ten at once; the others are refused, with the time until there is room."""

    def __init__(self) -> None:
        self.tokens, self.at_seconds = float(A_SECOND), 0.0
        self.answered: list[float] = []
        self.refused = 0

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        del effect, history, claim
        now = asyncio.get_running_loop().time()
        self.tokens = min(A_SECOND, self.tokens + A_SECOND * (now - self.at_seconds))
        self.at_seconds = now
        if self.tokens < 1:
            self.refused += 1
            return ModelFailed(Failure("model_error", "429", retryable=True), 1.0)
        self.tokens -= 1
        self.answered.append(now)
        await asyncio.sleep(2)
        return ModelAnswered("done")


async def _job(limited: Limited, number: int, dice: Dice) -> float:
    loop, attempt = asyncio.get_running_loop(), 1
    while True:
        job = Job(f"job_{number}", "session", f"tenant-{number % 3}", "asks", 0)
        claim = Claim(job.id, f"loop:{job.id}:1:{attempt}", "msg", "owner", 0, 0)
        try:
            result = await limited(CallModel(job, 1, attempt), _NOTHING, claim)
        except NotYetError as error:
            late = 0.3 * dice.roll(number, attempt)
            await asyncio.sleep(ceil(loop.time() + error.wait_ms / 1000) - loop.time() + late)
            continue
        if isinstance(result, ModelAnswered):
            return loop.time()
        attempt += 1
        await asyncio.sleep(1)


async def test_a_call_that_can_wake_nobody_runs_and_gives_its_place_back() -> None:
    """Where the queue is away, others come by themselves; a place that is not given back would keep them waiting."""
    stage, desk = Stage(), KeyLimit("desk", in_flight=2)

    async def run(_effect: Work, _history: History, _claim: Claim) -> StepResult | None:
        return ModelAnswered("done")

    limits = CallLimits(FakeConnection(stage.redis))
    agent = Agent(name="asks", model=ScriptedModel(["done"]), call_limits=[CallLimit("desk", in_flight=2)])
    limited = Limited(run, limits_by(Registry([agent])), limits, stage.container.emitter, LEASE_MS)
    event = encode_event(event_of("session", loop_item("job_2", 1, 1, 0)))
    for name in ("died", "died too", "waits"):
        await limits.begin_call([desk], NamedCall(name, "acme", event), LEASE_MS)
    stage.clock.ms += LEASE_MS + 1
    stage.queue.failing.append(PublishError("full"))
    job = Job("job_1", "session", "acme", "asks", 0)
    claim = Claim(job.id, "loop:job_1:1:1", "msg", "owner", 0, 0)
    assert await limited(CallModel(job, 1, 1), _NOTHING, claim) == ModelAnswered("done")
    assert not stage.queue.failing
    last = [await limits.begin_call([desk], NamedCall(name, "acme", event), LEASE_MS) for name in ("next", "later")]
    assert [answer.wait_ms for answer in last] == [0, PLACE_MS]  # the other place is of the call that waited


class SlowLimits(CallLimits):
    """Answers each call after `seconds`, as from a slow store."""

    seconds = 0.0

    async def begin_call(self, limits: Sequence[KeyLimit], call: NamedCall, lease_ms: int) -> CallAnswer:
        answer = await super().begin_call(limits, call, lease_ms)
        await asyncio.sleep(self.seconds)
        return answer


def test_a_call_whose_claim_grew_old_before_it_could_begin_comes_again() -> None:
    """Its work would outlast the claim, and another one would run it beside; its place is free."""

    async def scenario() -> None:
        loop, ran = asyncio.get_running_loop(), list[str]()

        async def run(_effect: Work, _history: History, claim: Claim) -> StepResult | None:
            ran.append(claim.item_key)
            return ModelAnswered("done")

        limits = SlowLimits(InProcessConnection(InProcessRedis(lambda: int(1000 * loop.time()))))
        agent = Agent(name="asks", model=ScriptedModel(["done"]), call_limits=[CallLimit("desk", in_flight=1)])
        limited = Limited(run, limits_by(Registry([agent])), limits, Stage().container.emitter, LEASE_MS)
        job, claim = Job("job_1", "session", "acme", "asks", 0), Claim("job_1", "loop:job_1:1:1", "msg", "owner", 0, 0)
        limits.seconds = 6
        with pytest.raises(NotYetError, match="waits 0 ms for the limits"):
            await limited(CallModel(job, 1, 1), _NOTHING, claim)
        assert ran == []
        limits.seconds = 4
        desk = [KeyLimit("desk", in_flight=1)]
        other = await limits.begin_call(desk, NamedCall("other", "acme", ""), LEASE_MS)
        assert other.wait_ms == 0
        await limits.end_call(desk, "other", other.since_ms)
        assert await limited(CallModel(job, 1, 1), _NOTHING, claim) == ModelAnswered("done")

    in_virtual_time(scenario)


def test_a_thousand_jobs_keep_within_what_a_provider_allows() -> None:
    async def scenario() -> None:
        loop, provider, dice = asyncio.get_running_loop(), Provider(), Dice(7)
        limit = CallLimit("provider", per_minute=60 * A_SECOND)
        redis = InProcessRedis(lambda: int(1000 * loop.time()))
        limits = CallLimits(InProcessConnection(redis))
        declared = limits_by(Registry([Agent(name="asks", model=ScriptedModel(["done"]), call_limits=[limit])]))
        limited = Limited(provider, declared, limits, Stage().container.emitter, 300_000)
        ends = await asyncio.gather(*(_job(limited, number, dice) for number in range(JOBS)))
        assert provider.refused <= JOBS / 100
        used = JOBS / (A_SECOND * max(provider.answered))
        assert used >= 0.9, used
        assert all(abs(end - 2 - number / A_SECOND) < 3 for number, end in enumerate(ends))  # nobody is left behind

    in_virtual_time(scenario)
