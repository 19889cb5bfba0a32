"""What a job requests of the admission: an item of its own, the gate that work waits at, and what settles it."""

from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry, SlotState, SlotTable, Want
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import slot_request_item
from tests.contract.store.sample import (
    FIRST_EPOCH,
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    claim_of,
    creation,
    first_item,
    job_of,
    slot_request_of,
    table_of,
)
from tests.contract.store.side import Side

STALLED_AFTER_MS = 60_000
FIRST_SLOT_REQUEST = slot_request_item(JOB_ID, "slot", FIRST_EPOCH, NOW_MS)


async def waiting_job(side: Side) -> None:
    await side.store.create(creation(a_job(), slot=False), "witness", NOW_MS)


async def slot_state_of(side: Side) -> SlotState:
    snapshot = await job_of(side)
    return snapshot.slot_state


def slot_request_claim(epoch: int, message: str = "m1", *, after_ms: int = 0) -> Claim:
    return claim_of(slot_request_item(JOB_ID, "slot", epoch, NOW_MS), message, after_ms=after_ms)


async def test_a_job_without_a_slot_guarantees_its_slot_request_and_not_its_work(side: Side) -> None:
    """Its backup dispatches the request alone: the turn waits in the state, not in the queue."""
    created = await side.store.create(creation(a_job(), slot=False), "m1", NOW_MS)
    assert created.pending == (replace(FIRST_SLOT_REQUEST, relay_id="m1"),)
    assert not created.slot_state.slot
    assert await slot_state_of(side) == SlotState("slot", FIRST_EPOCH, slot=False)


async def test_work_without_a_slot_is_gated(side: Side) -> None:
    await waiting_job(side)
    assert await side.store.claim(claim_of(first_item(), "m2")) == ClaimResult(Verdict.GATED)
    relay_id = await side.store.claim(claim_of(first_item(), "witness"))
    assert (relay_id.verdict, relay_id.pending) == (Verdict.GATED, (replace(FIRST_SLOT_REQUEST, relay_id="witness"),))


async def test_a_timer_that_is_due_requests_a_slot_when_its_message_comes(side: Side) -> None:
    job = replace(a_job(), start_at_ms=NOW_MS + 100_000)
    await side.store.create(creation(job), "witness", NOW_MS)
    claim_result = await side.store.claim(claim_of(first_item(), "m1", after_ms=100_000))
    slot_request = slot_request_of("slot", "m1", NOW_MS + 100_000)
    assert (claim_result.verdict, claim_result.pending) == (Verdict.GATED, (slot_request,))
    again = await side.store.claim(claim_of(first_item(), "m2", after_ms=100_001))
    assert (again.verdict, again.pending) == (Verdict.GATED, ())


async def test_a_slot_request_that_the_admission_does_not_heed_is_requested_again(side: Side) -> None:
    """Above the request epoch that it knows: time itself may not have come so far. The same message tells it, once."""
    await waiting_job(side)
    later_epoch = NOW_MS + 5
    committed = await side.store.commit(slot_request_claim(FIRST_EPOCH), Changes(later_epoch=later_epoch), SPENT)
    slot_request = replace(slot_request_of("slot", "m1", later_epoch + 1), since_ms=NOW_MS)
    assert committed == Committed(True, (slot_request,))
    assert await slot_state_of(side) == SlotState("slot", later_epoch + 1, slot=False)
    again = await side.store.commit(slot_request_claim(FIRST_EPOCH, "m2"), Changes(later_epoch=later_epoch), SPENT)
    assert again == Committed(applied=False)


def entry(epoch: int, want: Want, *, slot: bool = False) -> SlotTable:
    return {JOB_ID: QueueEntry("tenant_a", "session_a", 5, NOW_MS, epoch, want, slot)}


async def test_the_sweep_leaves_a_slot_request_in_line_alone_and_work_behind_it(side: Side) -> None:
    await waiting_job(side)
    at_ms = NOW_MS + 100 * STALLED_AFTER_MS
    found = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, entry(FIRST_EPOCH, "slot"))
    assert found.stalled == ()


async def test_the_sweep_sends_a_slot_request_again_that_was_lost(side: Side) -> None:
    """The same one, after half a minute: a newer one would lose the job its place."""
    await waiting_job(side)
    at_ms = NOW_MS + STALLED_AFTER_MS // 2
    assert (await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, {})).stalled == ()
    at_ms += 1
    found = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, {})
    assert found.stalled == (replace(FIRST_SLOT_REQUEST, relay_id="sweep", since_ms=at_ms),)


async def test_a_sweep_does_not_ask_again_what_an_ended_job_has_reported_lately(side: Side) -> None:
    """However old the request is: the slot table may have been read before it was told."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    end = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    await side.store.commit(claim_of(first_item()), end, SPENT)
    requested_ms, half_ms = 10 * STALLED_AFTER_MS, STALLED_AFTER_MS // 2
    await side.store.commit(slot_request_claim(NOW_MS, after_ms=requested_ms), Changes(admitted=True), SPENT)
    for after_ms in (requested_ms - 1, requested_ms + half_ms):
        found = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, table_of(JOB_ID))
        assert found.stalled == ()
    at_ms = NOW_MS + requested_ms + half_ms + 1
    found = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, table_of(JOB_ID))
    assert found.stalled == (slot_request_of("gone", "sweep", at_ms),)
