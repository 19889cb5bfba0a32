"""Going on in place: what follows is done in the same invocation, and by the same rules as if it had been published."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from msgspec import structs

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.commit.answers import Claim, Committed
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.runtime import pipeline
from baton.runtime.policy import LEASE_MS
from baton_events.errors import StoreError
from tests.fakes import FakeStore
from tests.unit.baton.kit.losing_answers import LosingAnswers
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")


@dataclass
class Watched:
    """Tools that note when they run: how many at once, and in how many deliveries."""

    running: int = 0
    most: int = 0
    runs: list[int] = field(default_factory=list[int])

    def registry(self, count: int, *, isolated_tool: bool = False) -> Registry:
        @tool(retries=0, isolated=isolated_tool)
        async def look(n: int) -> int:
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0)
            self.running -= 1
            self.runs.append(n)
            return n

        calls = [Call("look", {"n": n}) for n in range(count)]
        return Registry([Agent("looks", model=ScriptedModel([calls, "seen"]), tools=[look])])


def kinds(stage: Stage, after: int = 0) -> list[str]:
    return [event.type for event in stage.events()[after:]]


async def test_in_place_a_job_takes_two_messages() -> None:
    """The backup message and the first event; the same steps, in the same order."""
    stage = Stage(settings=INLINE)
    await stage.submit("adds")
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert kinds(stage) == ["agent.loop.init", "agent.loop.init"]


@pytest.mark.parametrize("whose", ["tool", "agent"])
async def test_what_is_isolated_has_an_invocation_of_its_own(whose: str) -> None:
    """A tool by itself, or all of an agent. Taking in a result is no work, and goes with its run."""
    watched = Watched()
    stage = Stage(settings=INLINE, registry=watched.registry(1, isolated_tool=whose == "tool"))
    job = structs.replace(stage.job("looks"), isolated=whose == "agent")
    await stage.container.commands.submit(job, {"text": "look", "data": {}})
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
    assert kinds(stage) == ["agent.loop.init", "agent.loop.init", "agent.tool.call", "agent.loop.init"]


async def test_claims_whose_answer_was_lost_are_requested_once_more() -> None:
    """They are held by this invocation: nobody else would get them for minutes."""
    store = LosingAnswers()
    stage = Stage(settings=INLINE, store=store)
    await stage.submit("adds")
    store.losses = 1
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert len(stage.events()) == 2


async def test_a_claim_whose_answer_was_long_under_way_is_prolonged() -> None:
    """Else its lease might end before the work does. What a sweep redrives meanwhile stays with the sweep's message.

    The turn's message may be over by then, and would bring nothing on if this process died.
    """
    store = LosingAnswers()
    stage = Stage(settings=INLINE, store=store)
    relay_ids: set[str] = set()

    async def swept() -> None:
        await store.reconcile("job_1", "m-sweep", stage.clock.ms, STALLED_AFTER_MS, stage.admission.entries)

    def note_relay_ids() -> None:
        items = store.tree("job_1").items.values()
        relay_ids.update(item.relay_id for item in items if item.kind is ItemKind.CALL)

    store.stage, store.meanwhile, store.slow_ms = stage, swept, STALLED_AFTER_MS + LEASE_MS
    stage.step_result.while_running = note_relay_ids
    await stage.submit("adds")
    await stage.deliver(stage.events()[-1], "m-turn")
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert relay_ids == {"m-sweep"}


async def test_one_that_cannot_be_recorded_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They finish and are recorded; then the message is not acknowledged, and the rest is done again."""

    class Refusing(FakeStore):
        refuses = True

        async def commit(
            self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
        ) -> Committed:
            if self.refuses and changes.used and changes.calls[0].position == 0:
                raise StoreError("down")
            return await super().commit(claim, changes, spent, continuation)

    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", (0.0, 0.0))
    watched, store = Watched(), Refusing()
    stage = Stage(settings=INLINE, store=store, registry=watched.registry(3))
    first = await stage.submit("looks")
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    assert sorted(watched.runs) == [0, 1, 2]
    assert [item.position for item in await stage.items() if item.kind is ItemKind.CALL] == [0]
    store.refuses = False
    await stage.deliver(first, "m-turn", retried=1)
    await stage.run()
    assert sorted(watched.runs) == [0, 0, 1, 2]
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
