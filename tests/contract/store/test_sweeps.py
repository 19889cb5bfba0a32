"""The sweep looks at each job once, and carries what stands still; what a job requests of the admission is an item.

It is the gate that work waits at, and what settles it.
"""

from msgspec.structs import replace

from baton.engine.all_jobs.slots import TOMBSTONE_MS, QueueEntry, SlotState, SlotTable, Want
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Reconciled, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import slot_request_item
from baton.store.records.all_jobs import SweepTurn
from tests.contract.store.sample import (
    FIRST_EPOCH,
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    slot_request,
    slot_request_of,
    table_of,
)
from tests.contract.store.side import SLOTS, SWEEP_INTERVAL_MS, Side

LATE_MS = NOW_MS + TOMBSTONE_MS + 10
HOLDING = tuple(f"job_{letter}" for letter in "abc"[:SLOTS])
WAITING = tuple(f"job_w{number}" for number in range(7))
GONE = tuple(f"job_g{number}" for number in range(5))
BELOW = ("job_a.1-0", "job_a.1-1")
STALLED_AFTER_MS = 60_000
SLOT_TABLE = table_of(JOB_ID)


async def many(side: Side) -> None:
    """Some hold slots, some wait, some are gone, each at a time of its own; two are below one that holds a slot."""
    for number, name in enumerate((*HOLDING, *WAITING, *BELOW)):
        await slot_request(side, name, "slot", 1, created_ms=NOW_MS + number, after_ms=number)
    for number, name in enumerate(GONE):
        await slot_request(side, name, "gone", 1, created_ms=NOW_MS, after_ms=number)


async def pages(side: Side, due_ms: int, size: int, *, again: bool = False) -> list[SweepTurn]:
    """All pages of a sweep; those after the first are no repetition."""
    turns = [await side.admission.sweep(due_ms, LATE_MS, again=again, page=size)]
    while turns[-1].after:
        turns.append(await side.admission.sweep(due_ms, LATE_MS, after=turns[-1].after, page=size))
        assert len(turns) < 30
    return turns


async def test_pages_of_any_size_have_each_job_once(side: Side) -> None:
    """But for trees that reach over a page's end; who waits is left to the hourly sweep, or one that comes again."""
    await many(side)
    for size in (1, 2, 3, 7, 8, 500):
        turns = await pages(side, LATE_MS, size)
        assert sorted(name for turn in turns for name in turn.slot_table) == sorted((*HOLDING, *BELOW, *GONE)), size
        assert len(turns) == 8 // size + 1
    for size in (1, 2, 5, 16, 17, 500):
        for due_ms, again in ((0, False), (LATE_MS, True)):
            seen = {name for turn in await pages(side, due_ms, size, again=again) for name in turn.slot_table}
            assert seen == {*HOLDING, *BELOW, *WAITING, *GONE}


async def test_only_the_first_page_gives_slots_and_arms(side: Side) -> None:
    await many(side)
    await side.admission.prune([("job_a", NOW_MS)])
    first = await side.admission.sweep(0, LATE_MS + 10 * SWEEP_INTERVAL_MS, page=2)
    assert first.next_ms
    assert [found.job_id for found in first.granted] == ["job_w0"]
    second = await side.admission.sweep(0, LATE_MS + 20 * SWEEP_INTERVAL_MS, after=first.after, page=2)
    assert (second.next_ms, second.granted) == (0, ())


async def test_those_gone_leave_as_fast_as_pages_come(side: Side) -> None:
    """A page of those that have left is followed by the next ones, whatever came meanwhile."""
    await many(side)
    turn, left = await side.admission.sweep(LATE_MS, LATE_MS, page=2), set[str]()
    while True:
        over = [(name, entry.since_ms) for name, entry in turn.slot_table.items() if entry.want == "gone"]
        await side.admission.prune(over)
        left |= {name for name, _ in over}
        if not turn.after:
            break
        turn = await side.admission.sweep(LATE_MS, LATE_MS, after=turn.after, page=2)
    assert left == set(GONE)
    assert not left & set(await side.admission.slot_table())


async def test_a_page_that_comes_again_looks_at_everybody_after_its_mark(side: Side) -> None:
    """One whose holder has lost its slot since may be carried by it."""
    await many(side)
    first = await side.admission.sweep(LATE_MS, LATE_MS, page=1)
    assert sorted(first.slot_table) == ["job_a", *BELOW]
    await slot_request(side, "job_b", "none", 2)
    seen, after = set[str](), first.after
    while after:
        turn = await side.admission.sweep(LATE_MS, LATE_MS, after=after, page=3, again=True)
        seen, after = seen | set(turn.slot_table), turn.after
    assert seen >= {"job_b", "job_c", *WAITING}


async def test_an_item_without_progress_is_guaranteed_by_the_sweep(side: Side) -> None:
    """It counts as replayed from now on; whoever carried it before carries it no longer."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    at_ms = NOW_MS + STALLED_AFTER_MS + 1
    reconciled = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, SLOT_TABLE)
    replayed = replace(first_item(), relay_id="sweep", since_ms=at_ms)
    assert reconciled == Reconciled(known=True, stalled=(replayed,), session_id="session_a")
    carried = [
        (await side.store.claim(replace(claim_of(first_item(), message), item_key="none"))).pending
        for message in ("witness", "sweep")
    ]
    assert carried == [(), (replace(replayed, redelivered=True),)]


async def test_a_live_lease_is_never_touched(side: Side) -> None:
    """Nor for ten seconds after it; quiet is counted beside it, so what was claimed long ago is lost then."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    over_ms = LEASE_MS + STALLED_AFTER_MS // 6
    stalled = {
        after_ms: (await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, SLOT_TABLE)).stalled
        for after_ms in (STALLED_AFTER_MS + 1, LEASE_MS, over_ms, over_ms + 1)
    }
    assert [after_ms for after_ms, items in stalled.items() if items] == [over_ms + 1]
    assert [item.key for item in stalled[over_ms + 1]] == [first_item().key]


async def test_an_unknown_job_is_not_known(side: Side) -> None:
    """Nothing is written for it. One job that nobody knows, below a known root, is passed over."""
    assert await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, SLOT_TABLE) == Reconciled(known=False)
    assert (await side.store.claim(claim_of(call_item(0)))).verdict is Verdict.UNKNOWN
    await fan_out(side, 1)
    reconciled = await side.store.reconcile(JOB_ID, "w1", NOW_MS + 500_000, 60_000, {}, only=f"{JOB_ID}.7")
    assert (reconciled.known, reconciled.stalled) == (True, ())


async def test_an_entry_without_a_job_below_a_known_root_is_named(side: Side) -> None:
    """A failover forgot that it was started; an entry of the root itself is another matter."""
    await side.store.create(creation(a_job()), "w1", NOW_MS)
    slot_table = table_of(JOB_ID, f"{JOB_ID}.2", f"{JOB_ID}.1", "job_z.1")
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, slot_table)
    assert reconciled.forgotten == (f"{JOB_ID}.1", f"{JOB_ID}.2")


FIRST_SLOT_REQUEST = slot_request_item(JOB_ID, "slot", FIRST_EPOCH, NOW_MS)


async def waiting_job(side: Side) -> None:
    await side.store.create(creation(a_job(), slot=False), "witness", NOW_MS)


async def slot_state_of(side: Side) -> SlotState:
    return (await job_of(side)).slot_state


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
    committed = await side.store.commit(slot_request_claim(FIRST_EPOCH), Changes(later_epoch=later_epoch))
    slot_request = replace(slot_request_of("slot", "m1", later_epoch + 1), since_ms=NOW_MS)
    assert committed == Committed(True, (slot_request,))
    assert await slot_state_of(side) == SlotState("slot", later_epoch + 1, slot=False)
    again = await side.store.commit(slot_request_claim(FIRST_EPOCH, "m2"), Changes(later_epoch=later_epoch))
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
    await side.store.commit(claim_of(first_item()), end)
    requested_ms, half_ms = 10 * STALLED_AFTER_MS, STALLED_AFTER_MS // 2
    await side.store.commit(slot_request_claim(NOW_MS, after_ms=requested_ms), Changes(admitted=True))
    for after_ms in (requested_ms - 1, requested_ms + half_ms):
        found = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, table_of(JOB_ID))
        assert found.stalled == ()
    at_ms = NOW_MS + requested_ms + half_ms + 1
    found = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, table_of(JOB_ID))
    assert found.stalled == (slot_request_of("gone", "sweep", at_ms),)


async def test_a_sweep_does_not_ask_again_for_a_job_that_has_just_been_submitted(side: Side) -> None:
    """A failover may forget an entry of the last 20 s, and with it where the sweep's repeats would find the job."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    half_ms, table = STALLED_AFTER_MS // 2, entry(FIRST_EPOCH, "slot")
    found = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + half_ms, STALLED_AFTER_MS, table)
    assert found.stalled == ()
    at_ms = NOW_MS + half_ms + 1
    found = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, table)
    assert [item.key for item in found.stalled] == [slot_request_of("slot", "sweep", at_ms).key]
