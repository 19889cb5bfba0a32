"""A thousand jobs share a provider: as often as it allows, nearly never over it, and nobody is left behind."""

import asyncio
from math import ceil

from baton.admission.limited_calls import Limited
from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Work
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, ModelFailed, StepResult
from baton.executors.bounded import limits_by
from baton.models.scripted import ScriptedModel
from baton.sdk.call_limit import CallLimit
from baton.sdk.records import Failure
from baton.storage.in_memory.call_limits import InMemoryCallLimits
from baton.testing.dice import Dice
from baton.tools.running_calls import NotYetError
from tests.unit.baton.api.following import in_virtual_time
from tests.unit.baton.kit.stage import Stage

JOBS, A_SECOND = 1_000, 10
_NOTHING = History((), {})


class Provider:
    """Takes ten calls a second, ten at once; the others are refused, with the time until there is room."""

    def __init__(self) -> None:
        self.tokens, self.at_seconds = float(A_SECOND), 0.0
        self.answered: list[float] = []
        self.refused = 0

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Answer a call, or refuse it."""
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
    """One turn, as the queue delivers it: at whole seconds, and a little late; when it was answered."""
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


def test_a_thousand_jobs_keep_within_what_a_provider_allows() -> None:
    """At most 1 % of the calls are refused, and at least 90 % of what is allowed is used."""

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
