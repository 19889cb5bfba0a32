"""A piece of work that kills its process is not started for ever: each takeover from a dead owner counts."""

import asyncio
import heapq
import re
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Literal

import pytest

from baton import Agent, Call, Registry, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.server.console.pages import render
from baton.server.console.waterfall import Rows, Traced
from baton.worker.runtime.policy import LEASE_MS
from baton_events.schema import parse_event
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.mortal import MortalStore, killed
from tests.unit.baton.kit.stage import SETTINGS, Stage

REDELIVERY_MS = 10_000
Continuation = Literal["inline", "queue"]
either_way = pytest.mark.parametrize("continuation", ["inline", "queue"])


@dataclass
class Deaths:
    """Work that kills its process the first `times`."""

    times: int
    retries: int = 0
    stage: Stage | None = None
    starts: list[int] = field(default_factory=list[int])
    at_work: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self) -> None:
        assert self.stage
        self.starts.append(self.stage.clock.ms)
        if len(self.starts) <= self.times:
            self.at_work.set()
            await asyncio.Event().wait()

    def registry(self) -> Registry:
        """A model whose client dies; and one that calls a tool, which dies, and then repeats what it is told of it."""

        @tool(retries=self.retries, timeout_seconds=5)
        async def explode() -> str:
            await self.begin()
            return "survived"

        async def think(_request: ModelRequest) -> ModelAnswer:
            await self.begin()
            return ModelAnswer("said")

        def call(request: ModelRequest) -> ModelAnswer:
            if request.turn == 1:
                return ModelAnswer(calls=(Call("explode", {}),))
            return ModelAnswer(str(request.messages[-1]))

        agents = [Agent("calls", model=Listening(call), tools=[explode]), Agent("thinks", model=Listening(think))]
        return Registry(agents)

    async def played(self, agent: str, continuation: Continuation) -> Stage:
        """Deliver what is published, again after the queue's delay where the process dies, until nothing is left."""
        store = MortalStore()
        settings = replace(SETTINGS, continuation=continuation)
        self.stage = stage = Stage(settings=settings, store=store, registry=self.registry())
        await stage.submit(agent)
        waiting, seen = list[tuple[int, int, int]](), 0
        for _ in range(100):
            for number in range(seen, len(stage.queue.published)):
                if "x-event-id" in stage.queue.published[number][1].headers:
                    heapq.heappush(waiting, (stage.queue.published[number][1].not_before_ms, number, 0))
            seen = len(stage.queue.published)
            if not waiting:
                return stage
            due_ms, number, retried = heapq.heappop(waiting)
            message_id, message = stage.queue.published[number]
            if message_id in stage.queue.cancelled:
                continue
            stage.clock.ms = max(stage.clock.ms, due_ms)
            delivery = stage.deliver(parse_event(message.body.encode()), message_id, retried)
            if await killed(store, self.at_work, delivery):
                stage.restart()
                heapq.heappush(waiting, (stage.clock.ms + REDELIVERY_MS, number, retried + 1))
        pytest.fail("nothing ends: 100 deliveries")


@either_way
@pytest.mark.parametrize("retries", [0, 2])
async def test_a_call_that_kills_its_process_each_time_fails_and_the_model_is_informed(
    continuation: Continuation, retries: int
) -> None:
    """One start more than it may have attempts: the first death may have been another one's fault."""
    deaths = Deaths(1_000, retries)
    snapshot = await (await deaths.played("calls", continuation)).snapshot()
    assert len(deaths.starts) == retries + 2
    (call,) = snapshot.calls
    assert (call.status, call.error and call.error.type) == ("failed", "process_died")
    assert "process died while it ran" in (snapshot.job.result or {})["answer"]


@either_way
async def test_a_call_that_was_killed_once_has_all_its_attempts(continuation: Continuation) -> None:
    """Whose fault it was nobody knows. It runs again when its claim is over, not when its work would be."""
    deaths = Deaths(1)
    (call,) = await (await deaths.played("calls", continuation)).calls()
    assert (call.status, call.attempts) == ("completed", 1)
    first_ms, again_ms = deaths.starts
    assert again_ms - first_ms == LEASE_MS


async def test_the_picture_has_each_start_and_the_time_until_a_death_is_noticed() -> None:
    """So nobody thinks that the tool ran once."""
    stage = await Deaths(1_000, 1).played("calls", "queue")
    found = Traced(await stage.snapshot())
    found.trace.take(stage.store.tree("job_1").parts["job_1"])
    (row,) = [row for row in Rows({"job_1": found}, stage.clock.ms).of("job_1") if row.kind == "call"]
    assert [bar.kind for bar in row.bars] == ["work", "lease"] * 3 + ["failed", "take"]
    assert all(bar.end_ms > bar.start_ms for bar in row.bars if bar.kind == "lease")
    assert (row.about, row.state) == ("its process died 3 times", "failed")
    [attempts], visit = found.trace.calls.values(), SimpleNamespace(now_ms=stage.clock.ms)
    markup = render("_attempts.html", attempts=attempts, died=True, visit=visit)
    assert re.findall(r'data-name="attempt">(\d)<', markup) == ["1", "2", "3"]
    assert (">0 ms<" in markup, markup.count("not kept here")) == (False, 1)


@either_way
async def test_a_turn_that_kills_its_process_each_time_fails_its_job(continuation: Continuation) -> None:
    """As often as its model may fail, and once more."""
    deaths = Deaths(1_000)
    job = await (await deaths.played("thinks", continuation)).now()
    assert (job.status, job.error and job.error.type, len(deaths.starts)) == ("failed", "process_died", 3 + 2)
