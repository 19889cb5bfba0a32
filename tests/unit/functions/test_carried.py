"""What a message carries is handed on whatever becomes of its leg; who is broken off, or waits, loses nothing."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.configuration.settings import Settings
from baton.core.effects import Changes
from baton.core.going_on import GoOn
from baton.core.legs import Leg, LegKind, leg_key_of
from baton.models.call import Call
from baton.models.scripted import ScriptedModel
from baton.ports import Claim, Committed, Spent
from baton.runtime.suspects import SPREAD_MS
from baton.tools.tool import tool
from baton_events.schema import Event
from tests.fakes import FakeStore
from tests.unit.functions.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")


class EndOfProcessError(BaseException):
    """What no handler keeps."""


class Returning(FakeStore):
    """A store that notes which claims come back, one after the other. `ends`: a COMMIT of a result raises that."""

    def __init__(self) -> None:
        super().__init__()
        self.given_back: list[tuple[str, bool]] = []
        self.ends = False

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        """Give back, after a while that is longer for each."""
        for _ in range(3 * len(claim.leg_key) + 5 * len(self.given_back)):
            await asyncio.sleep(0)
        self.given_back.append((claim.leg_key, begun))
        return await super().give_back(claim, now_ms, begun=begun)

    async def commit(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None = None) -> Committed:
        """Commit, or end."""
        if self.ends and changes.used:
            raise EndOfProcessError
        return await super().commit(claim, changes, spent, go_on)


class Slow:
    """Three calls of a turn, which take until they may end."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.began, self.may_end, self.starts = asyncio.Event(), asyncio.Event(), list[int]()

        @tool(retries=2)
        async def slow(n: int) -> int:
            """Take time."""
            self.starts.append(n)
            if len(self.starts) == 3 or settings is SETTINGS:
                self.began.set()
            await self.may_end.wait()
            return n

        calls = [Call("slow", {"n": n}) for n in range(3)]
        agent = Agent("slow", model=ScriptedModel([calls, "done"]), tools=[slow])
        self.store = Returning()
        self.stage = Stage(settings=settings, store=self.store, registry=Registry([agent]))

    async def calls(self) -> list[Event]:
        """The events of the three calls."""
        first = await self.stage.submit("slow")
        seen = len(self.stage.events())
        await self.stage.deliver(first, "m-turn")
        return self.stage.events()[seen:]

    def change(self, event: Event, **changes: Any) -> None:
        """Change the leg of an event."""
        tree, key = self.store.tree("job_1"), leg_key_of(event)
        self.store.write(
            "job_1", structs.replace(tree, legs={**tree.legs, key: structs.replace(tree.legs[key], **changes)})
        )

    async def leg(self, event: Event) -> Leg:
        """The leg of an event."""
        return next(leg for leg in await self.stage.legs() if leg.key == leg_key_of(event))


async def test_of_steps_that_died_the_second_waits_for_its_turn_and_its_message_loses_nothing() -> None:
    """It is given back unstarted, comes again by itself, and what its message carries besides goes out at once."""
    slow = Slow()
    one, other, carried = await slow.calls()
    for event in (one, other):
        slow.change(event, abandoned=1)
    slow.change(carried, carrier="m-other")
    at_work = asyncio.create_task(slow.stage.deliver(one, "m-one"))
    await slow.began.wait()
    outcome = await slow.stage.deliver(other, "m-other")
    assert (outcome.word, outcome.handed_on) == ("waits for its turn alone", 1)
    again, out = slow.stage.outgoing()[-2:]
    assert again.not_before_ms == slow.stage.clock.ms + SPREAD_MS
    assert [leg_key_of(event) for event in slow.stage.events()[-2:]] == [leg_key_of(other), leg_key_of(carried)]
    assert out.not_before_ms <= slow.stage.clock.ms
    leg = await slow.leg(other)
    assert (leg.owner, leg.abandoned, slow.starts) == ("", 1, [0])
    assert slow.store.given_back == [(leg.key, False)]
    slow.may_end.set()
    await at_work
    await slow.stage.run()
    assert ((await slow.stage.snapshot()).job.result, sorted(slow.starts)) == ({"answer": "done"}, [0, 1, 2])


async def test_who_waits_for_its_turn_finds_what_an_earlier_delivery_has_done_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has lost its claim before it could give it back: what its message carries by now is its to hand on."""
    slow = Slow()
    one, other, carried = await slow.calls()
    for event in (one, other):
        slow.change(event, abandoned=1)
    slow.change(carried, carrier="m-other")
    at_work = asyncio.create_task(slow.stage.deliver(one, "m-one"))
    await slow.began.wait()
    give_back = slow.store.give_back

    async def overtaken(claim: Claim, now_ms: int, *, begun: bool) -> bool:
        tree = slow.store.tree("job_1")
        legs = {key: leg for key, leg in tree.legs.items() if key != claim.leg_key}
        slow.store.write("job_1", structs.replace(tree, legs=legs))
        return await give_back(claim, now_ms, begun=begun)

    monkeypatch.setattr(slow.store, "give_back", overtaken)
    outcome = await slow.stage.deliver(other, "m-other")
    assert (outcome.word, outcome.handed_on) == ("applied", 1)
    assert leg_key_of(slow.stage.events()[-1]) == leg_key_of(carried)
    slow.may_end.set()
    await at_work


async def test_who_is_broken_off_ends_when_all_that_it_worked_on_is_given_back() -> None:
    """A process that is to stop waits for that: whoever is delivered it next begins at once."""
    slow = Slow(INLINE)
    delivery = asyncio.create_task(slow.stage.deliver(await slow.stage.submit("slow"), "m-turn"))
    await slow.began.wait()
    legs = {leg.key for leg in await slow.stage.legs() if leg.kind is LegKind.CALL}
    stopping = slow.stage.container.stopping
    assert stopping.at_work == 3
    stopping.begun = True
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    assert stopping.at_work == 0
    assert {*slow.store.given_back} == {(key, True) for key in legs}, "a model may have been called"
    assert {leg_key_of(event) for event in slow.stage.events()[-3:]} == legs


async def test_what_ends_the_process_is_not_acknowledged() -> None:
    """Also where several legs are worked on, of which one meets it."""
    slow = Slow(INLINE)
    slow.store.ends = True
    slow.may_end.set()
    with pytest.raises(EndOfProcessError):
        await slow.stage.deliver(await slow.stage.submit("slow"), "m-turn")


async def test_a_copy_of_a_message_publishes_what_that_message_carries() -> None:
    """Each event is a message of its own: a copy that comes at the same time takes nothing in."""
    slow = Slow()
    slow.may_end.set()
    call = (await slow.calls())[0]
    await slow.stage.deliver(call, "m-call")
    outcome = await slow.stage.deliver(call, "m-call")
    assert (outcome.word, outcome.handed_on) == ("applied", 1)
    assert [leg.kind for leg in await slow.stage.legs()].count(LegKind.COMPLETE) == 1


async def test_a_witness_hands_on_what_it_carries() -> None:
    """Whoever submitted has died after the job was created, and before it published the first event."""
    stage = Stage()
    await stage.submit("adds")
    [(message_id, _), *_] = stage.queue.published
    seen = len(stage.events())
    outcome = await stage.deliver(stage.events()[0], message_id)
    assert outcome.word == "told"
    assert [leg_key_of(event) for event in stage.events()[seen:]] == [leg.key for leg in await stage.legs()]
    assert outcome.handed_on == len(stage.events()[seen:]) > 0
