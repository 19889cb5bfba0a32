"""A store that is away when a work item is claimed or committed: that is repeated for a while, the work is not."""

import asyncio
from dataclasses import replace

import pytest

from baton.engine.commit.answers import Claim, ClaimResult, Committed
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import State
from baton.engine.work_items import ItemKind
from baton.runtime import claims, pipeline
from baton.runtime.policy import BEGIN_PAUSES_SECONDS, LEASE_MARGIN_MS, LEASE_MS, PAUSES_SECONDS
from baton.settings.settings import Settings
from baton_events.errors import StoreError
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE, QUEUE = replace(SETTINGS, continuation="inline"), replace(SETTINGS, continuation="queue")


class Away(FakeStore):
    """A store that is away for so many COMMITs of results; meanwhile time goes by, or the process is to stop."""

    def __init__(self, commits: int = 0, each_ms: int = 0) -> None:
        super().__init__()
        self.left, self.each_ms, self.requested = commits, each_ms, 0
        self.stage: Stage | None = None
        self.stops = False
        self.rooms: list[Continuation | None] = []

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        self.requested += 1
        self.rooms.append(continuation)
        if self.left and changes.used:  # a tool's result
            self.left -= 1
            if self.stage:
                self.stage.clock.ms += self.each_ms
                self.stage.container.stopping.begun = self.stops
            raise StoreError("no answer")
        return await super().commit(claim, changes, spent, continuation)


class AwayAtFirst(FakeStore):
    """A store that fails so many BEGINs, before or after they are applied; meanwhile time goes by."""

    def __init__(self, begins: int, *, applied: bool = False, each_ms: int = 0) -> None:
        super().__init__()
        self.left, self.applied, self.each_ms, self.requested = begins, applied, each_ms, 0
        self.stage: Stage | None = None
        self.states: list[State] = []

    async def claim(self, claim: Claim) -> ClaimResult:
        self.requested += 1
        if not self.left:
            claim_result = await super().claim(claim)
            self.states += [claim_result.state] if claim_result.state else []
            return claim_result
        self.left -= 1
        if self.applied:
            await super().claim(claim)
        if self.stage:
            self.stage.clock.ms += self.each_ms
        raise StoreError("no answer")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", tuple(pause / 1e6 for pause in PAUSES_SECONDS))
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", tuple(pause / 1e6 for pause in BEGIN_PAUSES_SECONDS))


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("settings", [QUEUE, INLINE], ids=["queue", "inline"])
async def test_a_claim_whose_answer_is_lost_is_requested_again(settings: Settings, *, applied: bool) -> None:
    """Else its lease would keep everybody else from the work item for two minutes."""
    store = AwayAtFirst(len(BEGIN_PAUSES_SECONDS), applied=applied)
    stage = Stage(settings=settings, store=store)
    first = await stage.submit("adds")
    assert (await stage.deliver(first, "m-turn")).label == "done"
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}


@pytest.mark.parametrize(("begins", "each_ms", "requested"), [(99, 0, len(BEGIN_PAUSES_SECONDS) + 1), (99, 6_000, 2)])
async def test_a_claim_is_requested_so_often_and_so_long_only(begins: int, each_ms: int, requested: int) -> None:
    store = AwayAtFirst(begins, each_ms=each_ms)
    stage = Stage(settings=INLINE, store=store)
    store.stage = stage
    first = await stage.submit("adds")
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    assert store.requested == requested


@pytest.mark.parametrize("after_ms", [0, 2 * LEASE_MS])
async def test_a_claim_of_which_nobody_knows_is_given_back(after_ms: int) -> None:
    """Only answers were lost: the message that comes again finds it free, and nobody has died of it."""
    store = AwayAtFirst(len(BEGIN_PAUSES_SECONDS) + 1, applied=True)
    stage = Stage(settings=INLINE, store=store)
    first = await stage.submit("adds")
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    stage.clock.ms += after_ms
    assert (await stage.deliver(first, "m-turn", retried=1)).label == "done"
    assert [state.item.abandoned for state in store.states if state.item.kind is ItemKind.LOOP][:1] == [0]
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}


async def test_a_store_that_hangs_holds_up_nobody_who_gives_a_claim_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the queue's again after a moment."""

    async def hangs(*_: object, begun: bool) -> None:
        await asyncio.sleep(3_600)

    monkeypatch.setattr(claims, "GIVE_BACK_SECONDS", 0.01)
    store = AwayAtFirst(99)
    monkeypatch.setattr(store, "give_back", hangs)
    stage = Stage(settings=INLINE, store=store)
    first = await stage.submit("adds")
    async with asyncio.timeout(5):
        with pytest.raises(StoreError):
            await stage.deliver(first, "m-turn")


@pytest.mark.parametrize("settings", [QUEUE, INLINE], ids=["queue", "inline"])
async def test_what_a_tool_has_returned_is_kept_until_the_store_is_back(settings: Settings) -> None:
    """It runs once, and no message has to come again."""
    store = Away(len(PAUSES_SECONDS))
    stage = Stage(settings=settings, store=store)
    await stage.submit("adds")
    await stage.run()
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
    assert store.left == 0


async def test_the_store_may_be_away_for_so_long_only() -> None:
    """Then the message is left to the queue, and the tool runs again."""
    store = Away(2 * (len(PAUSES_SECONDS) + 1))  # both calls run at once
    stage = Stage(settings=INLINE, store=store)
    first = await stage.submit("adds")
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    assert store.left == 0
    await stage.deliver(first, "m-turn", retried=1)
    await stage.run()
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 1 2", "add 3 4", "add 3 4"]


async def test_a_redelivered_message_repeats_it_as_well() -> None:
    """It goes on with nothing, and what it has done is kept all the same."""
    store = Away(3)
    stage = Stage(settings=QUEUE, store=store)
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn")
    call = next(event for event in stage.events() if event.type == "agent.tool.call")
    outcome = await stage.deliver(call, "m-call", retried=1)
    assert (outcome.label, stage.step_result.runs, store.left) == ("done", ["add 1 2"], 0)
    assert store.rooms[-1] is None


async def test_after_the_lease_it_is_not_repeated_but_for_what_it_may_have_claimed() -> None:
    """Each request takes as long as a request may: once more for the claims, and no more."""
    store = Away(9, each_ms=LEASE_MARGIN_MS)
    stage = Stage(settings=INLINE, store=store)
    store.stage = stage
    first = await stage.submit("adds")
    before = store.requested
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    of_the_turn, of_each_call = 1, 2
    assert store.requested - before == of_the_turn + 2 * of_each_call
    assert [room.at_most for room in store.rooms[-2:] if room] == [0, 0]


async def test_a_process_that_is_to_stop_meanwhile_goes_on_with_nothing() -> None:
    store = Away(2)
    stage = Stage(settings=INLINE, store=store)
    store.stage, store.stops = stage, True
    first = await stage.submit("adds")
    outcome = await stage.deliver(first, "m-turn")
    assert (outcome.label, outcome.dispatched) == ("done", 1)
    assert [room is None for room in store.rooms] == [False, False, True, True, True], "from the failure on"
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
