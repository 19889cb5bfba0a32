"""What a COMMIT has claimed: prolonged where its answer was long under way, left where somebody else has taken over."""

from dataclasses import replace

import pytest

from baton.engine.commit.answers import Claim, ClaimResult, Committed
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind
from baton.runtime import claims, pipeline
from baton.runtime.policy import LEASE_MARGIN_MS, LEASE_MS, RENEW_SECONDS
from baton.transport.meter import Meter, metered
from baton_events.errors import StoreError
from tests.fakes import FakeStore
from tests.unit.baton.kit.losing_answers import LosingAnswers
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")
SOON_MS = round(1000 * RENEW_SECONDS)


@pytest.mark.parametrize(("slow_ms", "lease_ms"), [(SOON_MS, LEASE_MS - SOON_MS), (SOON_MS + 1, LEASE_MS)])
async def test_a_lease_that_is_partly_over_is_prolonged_before_the_work(slow_ms: int, lease_ms: int) -> None:
    """After the time after which any claim is prolonged; what is fresh costs no request."""
    store = LosingAnswers()
    stage, left_ms = Stage(settings=INLINE, store=store), list[int]()

    def look() -> None:
        items = store.tree("job_1").items.values()
        left_ms.extend(item.lease_until_ms - stage.clock.ms for item in items if item.kind is ItemKind.CALL)

    store.stage, store.slow_ms, stage.step_result.while_running = stage, slow_ms, look
    await stage.submit("adds")
    await stage.deliver(stage.events()[-1], "m-turn")
    assert {*left_ms} == {lease_ms}


async def test_what_somebody_else_has_taken_over_meanwhile_is_left_to_them() -> None:
    store = LosingAnswers()
    stage = Stage(settings=INLINE, store=store)

    async def taken_over() -> None:
        for item in (item for item in store.tree("job_1").items.values() if item.kind is ItemKind.CALL):
            now_ms = stage.clock.ms
            await store.claim(Claim("job_1", item.key, "m-other", "other", now_ms, now_ms + LEASE_MS, item.call_id))

    store.stage, store.slow_ms, store.meanwhile = stage, 2 * LEASE_MS, taken_over
    await stage.submit("adds")
    outcome = await stage.deliver(stage.events()[-1], "m-turn")
    assert (outcome.label, stage.step_result.runs) == ("done", [])
    assert {item.owner for item in await stage.items() if item.kind is ItemKind.CALL} == {"other"}


class Away(FakeStore):
    def __init__(self) -> None:
        super().__init__()
        self.stage: Stage | None = None
        self.begins_fail = False
        self.requested, self.spent = 0, list[Spent]()

    async def claim(self, claim: Claim) -> ClaimResult:
        if self.stage is None or not self.begins_fail:
            return await super().claim(claim)
        self.requested += 1
        self.stage.clock.ms += LEASE_MARGIN_MS - 25
        raise StoreError("no answer")

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        self.requested += 1
        self.spent.append(spent)
        if self.stage is None:
            return await super().commit(claim, changes, spent, continuation)
        self.stage.clock.ms += LEASE_MARGIN_MS - 25
        raise StoreError("no answer")


@pytest.mark.parametrize("begins_fail", [False, True], ids=["COMMIT", "BEGIN"])
@pytest.mark.parametrize(("pause_seconds", "requested"), [(0.024, 2), (0.026, 1)])
async def test_it_is_not_repeated_when_its_claim_would_be_over(
    monkeypatch: pytest.MonkeyPatch, pause_seconds: float, requested: int, *, begins_fail: bool
) -> None:
    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", (pause_seconds, pause_seconds))
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", (pause_seconds, pause_seconds))
    store = Away()
    store.begins_fail = begins_fail
    stage = Stage(store=store)
    first = await stage.submit("answers")
    store.stage = stage
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn", retried=1)
    assert store.requested == requested


async def test_a_job_s_ledger_has_its_message_once() -> None:
    """However often it is delivered: another delivery is no other message."""
    written = list[Spent]()
    for retried in (0, 1):
        store = Away()
        stage = Stage(store=store)
        first = await stage.submit("answers")
        with metered(Meter(stage.clock, 0)):
            await stage.deliver(first, "m-turn", retried=retried)
        written.append(store.spent[0])
    assert [spent.messages for spent in written] == [1, 0]
    assert written[0].requests == written[1].requests
