"""What a job requests of the admission: an item of its own, the gate that work waits at, and what settles it."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import KEEP_SLOT_MS, Entry, SlotState, SlotTable, Want
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Signal, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import loop_item, slot_request_item
from tests.contract.store.sample import (
    FIRST_EPOCH,
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    book_of,
    by_key,
    call_item,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    slot_request_of,
)
from tests.contract.store.side import Side

STALLED_AFTER_MS = 60_000
FIRST_SLOT_REQUEST = slot_request_item(JOB_ID, "slot", FIRST_EPOCH, NOW_MS)


async def waiting_job(side: Side) -> None:
    """A job that was created without a slot."""
    await side.store.create(creation(a_job(), slot=False), "witness", NOW_MS)


async def slot_state_of(side: Side) -> SlotState:
    """How the job stands."""
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    return snapshot.slot_state


def slot_request_claim(epoch: int, message: str = "m1", *, after_ms: int = 0) -> Claim:
    """Who asks for a request."""
    return claim_of(slot_request_item(JOB_ID, "slot", epoch, NOW_MS), message, after_ms=after_ms)


async def test_a_job_without_a_slot_carries_its_slot_request_and_not_its_work(side: Side) -> None:
    """Its backup dispatches the request alone: the turn waits in the state, not in the queue."""
    created = await side.store.create(creation(a_job(), slot=False), "m1", NOW_MS)
    assert created.pending == (replace(FIRST_SLOT_REQUEST, relay_id="m1"),)
    assert not created.slot_state.slot
    assert await slot_state_of(side) == SlotState("slot", FIRST_EPOCH, slot=False)


async def test_work_without_a_slot_is_gated(side: Side) -> None:
    """Nothing is claimed; whoever carries the request learns so."""
    await waiting_job(side)
    assert await side.store.claim(claim_of(first_item(), "m2")) == ClaimResult(Verdict.GATED)
    relay_id = await side.store.claim(claim_of(first_item(), "witness"))
    assert (relay_id.verdict, relay_id.pending) == (Verdict.GATED, (replace(FIRST_SLOT_REQUEST, relay_id="witness"),))


async def test_work_that_is_not_due_yet_waits_for_the_slot_request_too(side: Side) -> None:
    """It goes out, with its time, when the request is granted; before, neither its relay nor a sweep dispatches it."""
    job = replace(a_job(), start_at_ms=NOW_MS + KEEP_SLOT_MS)
    later = loop_item(JOB_ID, 1, 1, NOW_MS, job.start_at_ms)
    created = await side.store.create(creation(job, slot=False), "m1", NOW_MS)
    assert created.pending == (replace(FIRST_SLOT_REQUEST, relay_id="m1"),)
    looked = await side.store.reconcile(JOB_ID, "m1", NOW_MS, STALLED_AFTER_MS, entry(FIRST_EPOCH, "slot"))
    assert looked.stalled == ()
    committed = await side.store.commit(slot_request_claim(FIRST_EPOCH, "m2"), Changes(admitted=True), SPENT)
    assert committed == Committed(True, (replace(later, relay_id="m2"),))


async def test_later_work_of_a_job_that_wants_no_slot_yet_is_dispatched(side: Side) -> None:
    """Its message waits in the queue; the request comes when it is due."""
    job = replace(a_job(), start_at_ms=NOW_MS + KEEP_SLOT_MS + 1)
    later = replace(loop_item(JOB_ID, 1, 1, NOW_MS, job.start_at_ms), relay_id="m1")
    assert (await side.store.create(creation(job, slot=False), "m1", NOW_MS)).pending == (later,)
    looked = await side.store.reconcile(JOB_ID, "m1", NOW_MS, STALLED_AFTER_MS, entry(0, "none"))
    assert looked.stalled == (later,)


async def test_a_slot_request_is_granted_to_everybody_who_tells_it(side: Side) -> None:
    """It is no work, so nobody is kept from telling it again."""
    await waiting_job(side)
    for owner in ("o1", "o2"):
        claim_result = await side.store.claim(replace(slot_request_claim(FIRST_EPOCH, f"m-{owner}"), owner=owner))
        assert claim_result.verdict is Verdict.GRANTED
        assert claim_result.state is not None
        assert (claim_result.state.item.relay_id, claim_result.state.item.owner) == (f"m-{owner}", owner)


async def test_an_admitted_job_has_its_slot_and_its_work_is_dispatched(side: Side) -> None:
    """By the message that told the request."""
    await waiting_job(side)
    await side.store.claim(slot_request_claim(FIRST_EPOCH))
    committed = await side.store.commit(slot_request_claim(FIRST_EPOCH), Changes(admitted=True), SPENT)
    assert committed == Committed(True, (replace(first_item(), relay_id="m1"),))
    assert await slot_state_of(side) == SlotState("slot", FIRST_EPOCH, slot=True)
    assert (await side.store.claim(claim_of(first_item(), "m2"))).verdict is Verdict.GRANTED


async def test_a_slot_request_told_twice_is_granted_once(side: Side) -> None:
    """The second answer finds no request and takes no item away from who works on it."""
    await waiting_job(side)
    await side.store.commit(slot_request_claim(FIRST_EPOCH, "m1"), Changes(admitted=True), SPENT)
    await side.store.claim(claim_of(first_item(), "m2", "o2"))
    assert await side.store.commit(slot_request_claim(FIRST_EPOCH, "m3"), Changes(admitted=True), SPENT) == Committed(
        applied=False
    )
    claim_result = await side.store.claim(claim_of(first_item(), "m2", "o2"))
    assert claim_result.state is not None
    assert claim_result.state.item.relay_id == "m2"


async def test_taking_in_needs_no_slot_and_keeps_the_one_there_is(side: Side) -> None:
    """A job whose calls have all returned holds its slot until the last result is taken in."""
    items = await fan_out(side, 1)
    await side.store.commit(claim_of(items[0], "m2"), Changes(items=(complete_item(0),)), SPENT)
    assert await slot_state_of(side) == SlotState("slot", FIRST_EPOCH, slot=True)


async def test_a_job_with_nothing_to_do_gives_its_slot_back(side: Side) -> None:
    """It says so with the message that did its last work."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    committed = await side.store.commit(claim_of(first_item(), after_ms=7), Changes(), SPENT)
    assert committed.pending == (slot_request_of("none", "m1", NOW_MS + 7),)
    assert await slot_state_of(side) == SlotState("none", NOW_MS + 7, slot=False)


@pytest.mark.parametrize(("delay_ms", "want"), [(KEEP_SLOT_MS, "slot"), (KEEP_SLOT_MS + 1, "none")])
async def test_a_job_that_only_waits_for_a_time_keeps_its_slot_for_a_minute(
    side: Side, delay_ms: int, want: Want
) -> None:
    """A longer wait gives it back; the timer itself is dispatched in both cases, since it waits in the queue."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    later = loop_item(JOB_ID, 1, 2, NOW_MS, NOW_MS + delay_ms)
    committed = await side.store.commit(claim_of(first_item()), Changes(items=(later,)), SPENT)
    slot_requests = () if want == "slot" else (slot_request_of(want, "m1"),)
    assert by_key(committed.pending) == by_key((replace(later, relay_id="m1"), *slot_requests))
    assert (await slot_state_of(side)).want == want


@pytest.mark.parametrize("claimed", [True, False])
async def test_who_stood_still_does_not_take_the_slot_from_work_added_since(side: Side, *, claimed: bool) -> None:
    """Its time is that of long ago, when the work was not due for long, or not there yet."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    since_ms = NOW_MS if claimed else NOW_MS + 290_000
    later = loop_item(JOB_ID, 1, 2, since_ms, NOW_MS + 300_000)
    await side.store.commit(claim_of(first_item(), after_ms=since_ms - NOW_MS), Changes(items=(later,)), SPENT)
    if claimed:
        await side.store.claim(claim_of(later, "m2", after_ms=300_000))  # gated: it requests a slot
        await side.store.commit(
            slot_request_claim(NOW_MS + 300_000, "m2", after_ms=300_001), Changes(admitted=True), SPENT
        )
        assert (await side.store.claim(claim_of(later, "m2", after_ms=300_002))).verdict is Verdict.GRANTED
    await side.store.signal(JOB_ID, "w1", Signal("evt_1", "{}", event="paid"), NOW_MS)
    assert (await slot_state_of(side)).slot


async def test_a_timer_that_is_due_asks_for_a_slot_when_its_message_comes(side: Side) -> None:
    """The message is the relay message of the request; a second message adds none."""
    job = replace(a_job(), start_at_ms=NOW_MS + 100_000)
    await side.store.create(creation(job), "witness", NOW_MS)
    claim_result = await side.store.claim(claim_of(first_item(), "m1", after_ms=100_000))
    slot_request = slot_request_of("slot", "m1", NOW_MS + 100_000)
    assert (claim_result.verdict, claim_result.pending) == (Verdict.GATED, (slot_request,))
    again = await side.store.claim(claim_of(first_item(), "m2", after_ms=100_001))
    assert (again.verdict, again.pending) == (Verdict.GATED, ())


async def test_a_newer_slot_request_replaces_the_one_before(side: Side) -> None:
    """Its request epoch is a time, and larger in any case; the old request finds nothing."""
    await waiting_job(side)
    await side.store.commit(slot_request_claim(FIRST_EPOCH, "m1"), Changes(admitted=True), SPENT)
    await side.store.commit(claim_of(first_item(), "m2"), Changes(), SPENT)
    work = Changes(items=(call_item(0),))
    committed = await side.store.commit(slot_request_claim(NOW_MS, "m3"), replace(work, admitted=True), SPENT)
    slot_request = slot_request_of("slot", "m3", NOW_MS + 1)
    assert committed.pending == (replace(slot_request, since_ms=NOW_MS),)
    assert (await side.store.claim(slot_request_claim(NOW_MS, "m4"))).verdict is Verdict.APPLIED
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [item.key for item in snapshot.items if item.kind == "wish"] == [slot_request.key]


async def test_a_slot_request_that_the_admission_does_not_heed_is_wished_again(side: Side) -> None:
    """Above the request epoch that it knows: time itself may not have come so far. The same message tells it, once."""
    await waiting_job(side)
    later_epoch = NOW_MS + 5
    committed = await side.store.commit(slot_request_claim(FIRST_EPOCH), Changes(later_epoch=later_epoch), SPENT)
    slot_request = replace(slot_request_of("slot", "m1", later_epoch + 1), since_ms=NOW_MS)
    assert committed == Committed(True, (slot_request,))
    assert await slot_state_of(side) == SlotState("slot", later_epoch + 1, slot=False)
    again = await side.store.commit(slot_request_claim(FIRST_EPOCH, "m2"), Changes(later_epoch=later_epoch), SPENT)
    assert again == Committed(applied=False)


async def test_a_slot_request_above_a_word_of_long_ago_has_the_time_as_its_epoch(side: Side) -> None:
    """As every request."""
    await waiting_job(side)
    committed = await side.store.commit(slot_request_claim(FIRST_EPOCH, after_ms=9), Changes(later_epoch=5), SPENT)
    assert committed.pending == (slot_request_of("slot", "m1", NOW_MS + 9),)


async def test_an_ended_job_says_that_it_is_gone(side: Side) -> None:
    """Whatever it requested before; once that was heard, nothing is left of its items."""
    await waiting_job(side)
    ended = Changes(job=replace(a_job(), status=JobStatus.CANCELLED), ends=True)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    _, pending = await side.store.record(loaded, "m1", ended, NOW_MS)
    assert pending == (slot_request_of("gone", "m1"),)
    slot_answer = await side.store.commit(slot_request_claim(NOW_MS, "m2"), Changes(admitted=True), SPENT)
    assert slot_answer == Committed(applied=True)
    assert await slot_state_of(side) == SlotState("gone", NOW_MS, slot=False)


def entry(epoch: int, want: Want, *, slot: bool = False) -> SlotTable:
    """The admission's slot table with the job's entry."""
    return {JOB_ID: Entry("tenant_a", "session_a", 5, NOW_MS, epoch, want, slot)}


@pytest.mark.parametrize(
    "slot_table",
    [{}, entry(FIRST_EPOCH, "none"), entry(FIRST_EPOCH, "slot"), entry(5, "gone"), entry(-1, "none")],
    ids=["unknown", "other", "no slot", "newer", "older"],
)
async def test_a_sweep_asks_again_where_the_admission_knows_otherwise(side: Side, slot_table: SlotTable) -> None:
    """Not before half a minute has passed since the last request."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), after_ms=STALLED_AFTER_MS))
    # The request epoch of a first request is no time, so a minute has passed in any case.
    at_ms = NOW_MS + STALLED_AFTER_MS
    looked = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, slot_table)
    assert looked.stalled == (slot_request_of("slot", "sweep", at_ms),)
    assert await slot_state_of(side) == SlotState("slot", at_ms, slot=False)
    soon = await side.store.reconcile(JOB_ID, "sweep2", at_ms + STALLED_AFTER_MS // 2, STALLED_AFTER_MS, slot_table)
    assert soon.stalled == ()


async def test_the_sweep_leaves_a_job_alone_that_the_admission_knows(side: Side) -> None:
    """Its slot is the one in the slot table."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), after_ms=STALLED_AFTER_MS))
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + STALLED_AFTER_MS, STALLED_AFTER_MS, book_of(JOB_ID))
    assert looked.stalled == ()


async def test_the_sweep_leaves_a_slot_request_in_line_alone_and_work_behind_it(side: Side) -> None:
    """However long it waits: it is told when its turn has come."""
    await waiting_job(side)
    at_ms = NOW_MS + 100 * STALLED_AFTER_MS
    looked = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, entry(FIRST_EPOCH, "slot"))
    assert looked.stalled == ()


async def test_the_sweep_tells_a_slot_request_again_that_nobody_heard(side: Side) -> None:
    """The same one, after half a minute: a newer one would lose the job its place."""
    await waiting_job(side)
    at_ms = NOW_MS + STALLED_AFTER_MS // 2
    assert (await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, {})).stalled == ()
    at_ms += 1
    looked = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, {})
    assert looked.stalled == (replace(FIRST_SLOT_REQUEST, relay_id="sweep", since_ms=at_ms),)


async def test_the_sweep_tells_a_slot_request_again_whose_slot_was_given_and_not_taken(side: Side) -> None:
    """Whoever was to be told so never was."""
    await waiting_job(side)
    at_ms = NOW_MS + STALLED_AFTER_MS + 1
    looked = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, entry(FIRST_EPOCH, "slot", slot=True))
    assert [item.key for item in looked.stalled] == [FIRST_SLOT_REQUEST.key]


async def test_a_sweep_does_not_ask_again_what_an_ended_job_has_told_lately(side: Side) -> None:
    """However old the request is: the slot table may have been read before it was told."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    end = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    await side.store.commit(claim_of(first_item()), end, SPENT)
    told_ms, half_ms = 10 * STALLED_AFTER_MS, STALLED_AFTER_MS // 2
    await side.store.commit(slot_request_claim(NOW_MS, after_ms=told_ms), Changes(admitted=True), SPENT)
    for after_ms in (told_ms - 1, told_ms + half_ms):
        looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, book_of(JOB_ID))
        assert looked.stalled == ()
    at_ms = NOW_MS + told_ms + half_ms + 1
    looked = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, book_of(JOB_ID))
    assert looked.stalled == (slot_request_of("gone", "sweep", at_ms),)


async def test_only_the_named_job_is_looked_at(side: Side) -> None:
    """Not one beside it, and nothing where it is not known."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    at_ms = NOW_MS + 10 * STALLED_AFTER_MS
    assert (await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, {}, only=f"{JOB_ID}.c")).stalled == ()
    assert (await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, {}, only=JOB_ID)).stalled != ()
