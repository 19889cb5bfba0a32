"""A thousand jobs share a provider: as often as it allows, nearly never over it, and nobody is left behind."""

import asyncio
from math import ceil

from baton import Agent, CallLimit, Registry, ScriptedModel
from baton.admission.limited_calls import Limited
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Work
from baton.engine.outbox import event_of
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed, StepResult
from baton.engine.work_items import loop_item
from baton.executors.bounded import limits_by
from baton.sdk.records import Failure
from baton.storage.in_memory.call_limits import InMemoryCallLimits
from baton.storage.ports.access import PLACE_MS, KeyLimit, NamedCall
from baton.testing.dice import Dice
from baton.tools.running_calls import NotYetError
from baton_events.errors import PublishError
from tests.unit.baton.api.following import in_virtual_time
from tests.unit.baton.kit.stage import Stage

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
    stage, now_ms, desk = Stage(), 0, KeyLimit("desk", in_flight=2)

    async def run(_effect: Work, _history: History, _claim: Claim) -> StepResult | None:
        return ModelAnswered("done")

    limits = InMemoryCallLimits(lambda: now_ms)
    agent = Agent(name="asks", model=ScriptedModel(["done"]), call_limits=[CallLimit("desk", in_flight=2)])
    limited = Limited(run, limits_by(Registry([agent])), limits, stage.container.emitter, LEASE_MS)
    event = event_of("session", loop_item("job_2", 1, 1, 0)).model_dump_json(by_alias=True, exclude_none=True)
    for name in ("died", "died too", "waits"):
        await limits.begin_call([desk], NamedCall(name, "acme", event), LEASE_MS)
    now_ms = LEASE_MS + 1
    stage.queue.failing.append(PublishError("full"))
    job = Job("job_1", "session", "acme", "asks", 0)
    claim = Claim(job.id, "loop:job_1:1:1", "msg", "owner", 0, 0)
    assert await limited(CallModel(job, 1, 1), _NOTHING, claim) == ModelAnswered("done")
    assert not stage.queue.failing
    last = [await limits.begin_call([desk], NamedCall(name, "acme", event), LEASE_MS) for name in ("next", "later")]
    assert [answer.wait_ms for answer in last] == [0, PLACE_MS]  # the other place is of the call that waited


def test_a_thousand_jobs_keep_within_what_a_provider_allows() -> None:
    async def scenario() -> None:
        loop, provider, dice = asyncio.get_running_loop(), Provider(), Dice(7)
        limit = CallLimit("provider", per_minute=60 * A_SECOND)
        limits = InMemoryCallLimits(lambda: int(1000 * loop.time()))
        declared = limits_by(Registry([Agent(name="asks", model=ScriptedModel(["done"]), call_limits=[limit])]))
        limited = Limited(provider, declared, limits, Stage().container.emitter, 300_000)
        ends = await asyncio.gather(*(_job(limited, number, dice) for number in range(JOBS)))
        assert provider.refused <= JOBS / 100
        used = JOBS / (A_SECOND * max(provider.answered))
        assert used >= 0.9, used
        assert all(abs(end - 2 - number / A_SECOND) < 3 for number, end in enumerate(ends))  # nobody is left behind

    in_virtual_time(scenario)
