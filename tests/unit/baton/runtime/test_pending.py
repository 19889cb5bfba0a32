"""What a message carries is dispatched whatever becomes of its item; who is broken off, or waits, loses nothing."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import Claim
from baton.engine.work_items import ItemKind, item_key_of
from baton.queue.dispatch import Outcome
from baton.runtime.policy import SPREAD_MS
from baton.settings.settings import Settings
from baton_events.schema import Event
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")


class EndOfProcessError(BaseException):
    """What no handler keeps."""


class Slow:
    """Three calls of a turn, which take until they may end."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.began, self.may_end, self.starts = asyncio.Event(), asyncio.Event(), list[int]()

        @tool(retries=2)
        async def slow(n: int) -> int:
            self.starts.append(n)
            if len(self.starts) == 3 or settings is SETTINGS:
                self.began.set()
            await self.may_end.wait()
            return n

        calls = [Call("slow", {"n": n}) for n in range(3)]
        agent = Agent("slow", model=ScriptedModel([calls, "done"]), tools=[slow])
        self.stage = Stage(settings=settings, registry=Registry([agent]))
        self.store, self.given_back = self.stage.store, list[tuple[str, bool]]()
        around(self.store, "give_back", self._later)

    async def _later(self, give_back: Method, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        """After a while that is longer for each."""
        for _ in range(3 * len(claim.item_key) + 5 * len(self.given_back)):
            await asyncio.sleep(0)
        self.given_back.append((claim.item_key, begun))
        given_back: bool = await give_back(claim, now_ms, begun=begun)
        return given_back

    async def calls(self) -> list[Event]:
        first = await self.stage.submit("slow")
        seen = len(self.stage.events())
        await self.stage.deliver(first, "m-turn")
        return self.stage.events()[seen:]

    def change(self, event: Event, **changes: Any) -> None:
        tree, key = self.store.tree("job_1"), item_key_of(event)
        self.store.write(
            "job_1", structs.replace(tree, items={**tree.items, key: structs.replace(tree.items[key], **changes)})
        )

    async def died(self) -> tuple[Event, Event, asyncio.Task[Outcome]]:
        """Of three calls, two have died before, and one of these is at work: the other, the third, the delivery."""
        one, other, pending = await self.calls()
        for event in (one, other):
            self.change(event, abandoned=1)
        self.change(pending, relay_id="m-other")
        at_work = asyncio.create_task(self.stage.deliver(one, "m-one"))
        await self.began.wait()
        return other, pending, at_work


async def test_of_steps_that_died_the_second_waits_for_its_turn_and_its_message_loses_nothing() -> None:
    """It is given back unstarted, comes again by itself, and what its message carries besides goes out at once."""
    slow = Slow()
    other, pending, at_work = await slow.died()
    outcome = await slow.stage.deliver(other, "m-other")
    assert (outcome.label, outcome.dispatched) == ("waits for its turn alone", 1)
    again, out = slow.stage.outgoing()[-2:]
    assert again.not_before_ms == slow.stage.clock.ms + SPREAD_MS
    assert [item_key_of(event) for event in slow.stage.events()[-2:]] == [item_key_of(other), item_key_of(pending)]
    assert out.not_before_ms <= slow.stage.clock.ms
    item = slow.store.tree("job_1").items[item_key_of(other)]
    assert (item.owner, item.abandoned, slow.starts) == ("", 1, [0])
    assert slow.given_back == [(item.key, False)]
    slow.may_end.set()
    await at_work
    await slow.stage.run()
    assert ((await slow.stage.snapshot()).job.result, sorted(slow.starts)) == ({"answer": "done"}, [0, 1, 2])


async def test_who_waits_for_its_turn_finds_what_an_earlier_delivery_has_done_meanwhile() -> None:
    """It has lost its claim before it could give it back: what its message carries by now is its to dispatch."""
    slow = Slow()
    other, pending, at_work = await slow.died()

    async def overtaken(give_back: Method, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        tree = slow.store.tree("job_1")
        items = {key: item for key, item in tree.items.items() if key != claim.item_key}
        slow.store.write("job_1", structs.replace(tree, items=items))
        given_back: bool = await give_back(claim, now_ms, begun=begun)
        return given_back

    around(slow.store, "give_back", overtaken)
    outcome = await slow.stage.deliver(other, "m-other")
    assert (outcome.label, outcome.dispatched) == ("applied", 1)
    assert item_key_of(slow.stage.events()[-1]) == item_key_of(pending)
    slow.may_end.set()
    await at_work


async def test_what_ends_the_process_is_not_acknowledged() -> None:
    """Also where several work items are worked on, of which one meets it."""
    slow = Slow(INLINE)
    slow.may_end.set()

    async def ends(commit: Method, *arguments: Any) -> Any:
        if arguments[1].used:
            raise EndOfProcessError
        return await commit(*arguments)

    around(slow.store, "commit", ends)
    with pytest.raises(EndOfProcessError):
        await slow.stage.deliver(await slow.stage.submit("slow"), "m-turn")


async def test_who_is_broken_off_ends_when_all_that_it_worked_on_is_given_back() -> None:
    """A process that is to stop waits for that: whoever is delivered it next begins at once."""
    slow = Slow(INLINE)
    delivery = asyncio.create_task(slow.stage.deliver(await slow.stage.submit("slow"), "m-turn"))
    await slow.began.wait()
    items = {item.key for item in await slow.stage.items() if item.kind is ItemKind.CALL}
    stopping = slow.stage.container.stopping
    assert stopping.at_work == 3
    stopping.begun = True
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    assert stopping.at_work == 0
    assert {*slow.given_back} == {(key, True) for key in items}, "a model may have been called"
    assert {item_key_of(event) for event in slow.stage.events()[-3:]} == items


async def test_a_backup_dispatches_what_it_guarantees() -> None:
    """Whoever submitted has died after the job was created, and before it published the first event."""
    stage = Stage()
    await stage.submit("adds")
    [(message_id, _), *_] = stage.queue.published
    seen = len(stage.events())
    outcome = await stage.deliver(stage.events()[0], message_id)
    assert outcome.label == "signalled"
    assert [item_key_of(event) for event in stage.events()[seen:]] == [item.key for item in await stage.items()]
    assert outcome.dispatched == len(stage.events()[seen:]) > 0
