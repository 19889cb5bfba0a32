"""A piece of work that kills its process is not started for ever: each takeover from a dead owner counts."""

import asyncio
import heapq
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from baton import Agent, Call, Registry, tool
from baton.models.model import ModelAnswer, ModelRequest
from baton_events.schema import parse_event
from tests.unit.baton.kit.mortal import MortalStore, killed
from tests.unit.baton.kit.stage import SETTINGS, Stage

REDELIVERY_MS = 10_000


@dataclass
class Deaths:
    times: int
    starts: list[int] = field(default_factory=list[int])
    at_work: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self) -> None:
        self.starts.append(1)
        if len(self.starts) <= self.times:
            self.at_work.set()
            await asyncio.Event().wait()


class DyingModel:
    name = "dying"
    reads_history = True

    def __init__(self, deaths: Deaths) -> None:
        self._deaths = deaths

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        await self._deaths.begin()
        return ModelAnswer("said")


class CallingModel:
    name = "calling"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        if request.turn == 1:
            return ModelAnswer(calls=(Call("explode", {}),))
        return ModelAnswer(str(request.messages[-1]))


def calling(deaths: Deaths, retries: int) -> Registry:
    @tool(retries=retries, timeout_seconds=5)
    async def explode() -> str:
        await deaths.begin()
        return "survived"

    return Registry([Agent("calls", model=CallingModel(), tools=[explode])])


async def play(stage: Stage, deaths: Deaths, agent: str, most: int = 100) -> None:
    """Deliver what is published, again after the queue's delay where the process dies, until nothing is left."""
    await stage.submit(agent)
    waiting, seen = list[tuple[int, int, int]](), 0
    for _ in range(most):
        for number in range(seen, len(stage.queue.published)):
            message_id, message = stage.queue.published[number]
            if "x-event-id" in message.headers and message_id not in stage.queue.cancelled:
                heapq.heappush(waiting, (message.not_before_ms, number, 0))
        seen = len(stage.queue.published)
        if not waiting:
            return
        due_ms, number, retried = heapq.heappop(waiting)
        message_id, message = stage.queue.published[number]
        if message_id in stage.queue.cancelled:
            continue
        stage.clock.ms = max(stage.clock.ms, due_ms)
        store = stage.store
        assert isinstance(store, MortalStore)
        if await killed(store, deaths.at_work, stage.deliver(parse_event(message.body.encode()), message_id, retried)):
            stage.restart()
            heapq.heappush(waiting, (stage.clock.ms + REDELIVERY_MS, number, retried + 1))
    pytest.fail(f"nothing ends: {most} deliveries")


@pytest.mark.parametrize("continuation", ["inline", "queue"])
@pytest.mark.parametrize("retries", [0, 2])
async def test_a_call_that_kills_its_process_each_time_fails_and_the_model_is_informed(
    continuation: Literal["inline", "queue"], retries: int
) -> None:
    """One start more than it may have attempts: the first death may have been another one's fault."""
    deaths = Deaths(times=1_000)
    stage = Stage(
        settings=replace(SETTINGS, continuation=continuation), store=MortalStore(), registry=calling(deaths, retries)
    )
    await play(stage, deaths, "calls")
    snapshot = await stage.snapshot()
    assert len(deaths.starts) == retries + 2
    (call,) = snapshot.calls
    assert (call.status, call.error and call.error.type) == ("failed", "process_died")
    assert "process died while it ran" in (snapshot.job.result or {})["answer"]


@pytest.mark.parametrize("continuation", ["inline", "queue"])
async def test_a_call_that_was_killed_once_has_all_its_attempts(continuation: Literal["inline", "queue"]) -> None:
    deaths = Deaths(times=1)
    stage = Stage(
        settings=replace(SETTINGS, continuation=continuation), store=MortalStore(), registry=calling(deaths, 0)
    )
    await play(stage, deaths, "calls")
    (call,) = (await stage.snapshot()).calls
    assert (call.status, call.attempts, len(deaths.starts)) == ("completed", 1, 2)


@pytest.mark.parametrize("continuation", ["inline", "queue"])
async def test_a_turn_that_kills_its_process_each_time_fails_its_job(continuation: Literal["inline", "queue"]) -> None:
    """As often as its model may fail, and once more."""
    deaths = Deaths(times=1_000)
    agent = Agent("thinks", model=DyingModel(deaths))
    stage = Stage(
        settings=replace(SETTINGS, continuation=continuation), store=MortalStore(), registry=Registry([agent])
    )
    await play(stage, deaths, "thinks")
    job = (await stage.snapshot()).job
    assert (job.status, job.error and job.error.type, len(deaths.starts)) == ("failed", "process_died", 3 + 2)
