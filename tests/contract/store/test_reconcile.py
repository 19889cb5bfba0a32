"""LOOK: the sweep finds work items without progress and carries them; it touches no live lease and no future timer."""

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Reconciled, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, loop_item
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    book_of,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    slot_request_of,
)
from tests.contract.store.side import Side
from tests.contract.store.test_dispatched import OVER, again, committed, in_place

STALLED_AFTER_MS = 60_000
BOOK = book_of(JOB_ID)


def keys(items: tuple[WorkItem, ...]) -> list[str]:
    """The work items' keys, as they come."""
    return [item.key for item in items]


async def test_an_item_without_progress_is_guaranteed_by_the_sweep(side: Side) -> None:
    """It counts as redriven from now on; whoever carried it before carries it no longer."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    at_ms = NOW_MS + STALLED_AFTER_MS + 1
    looked = await side.store.reconcile(JOB_ID, "sweep", at_ms, STALLED_AFTER_MS, BOOK)
    redriven = replace(first_item(), relay_id="sweep", since_ms=at_ms)
    assert looked == Reconciled(known=True, stalled=(redriven,), session_id="session_a")
    assert (await side.store.claim(replace(claim_of(first_item(), "witness"), item_key="none"))).pending == ()
    assert (await side.store.claim(replace(claim_of(first_item(), "sweep"), item_key="none"))).pending == (
        replace(redriven, redelivered=True),
    )


async def test_an_item_that_was_added_or_redriven_lately_is_left_alone(side: Side) -> None:
    """Exactly at the limit it still counts as lately; another sweep does not take what the first has just redriven."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    assert (await side.store.reconcile(JOB_ID, "s1", NOW_MS + STALLED_AFTER_MS, STALLED_AFTER_MS, BOOK)).stalled == ()
    at_ms = NOW_MS + STALLED_AFTER_MS + 1
    assert keys((await side.store.reconcile(JOB_ID, "s1", at_ms, STALLED_AFTER_MS, BOOK)).stalled) == [first_item().key]
    assert (await side.store.reconcile(JOB_ID, "s2", at_ms + STALLED_AFTER_MS, STALLED_AFTER_MS, BOOK)).stalled == ()
    assert keys(
        (await side.store.reconcile(JOB_ID, "s2", at_ms + STALLED_AFTER_MS + 1, STALLED_AFTER_MS, BOOK)).stalled
    )


async def test_the_same_sweep_again_finds_what_it_carries_however_young(side: Side) -> None:
    """A redelivered sweep dispatches again what it had not acknowledged."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    at_ms = NOW_MS + STALLED_AFTER_MS + 1
    await side.store.reconcile(JOB_ID, "s1", at_ms, STALLED_AFTER_MS, BOOK)
    again = await side.store.reconcile(JOB_ID, "s1", at_ms + 10, STALLED_AFTER_MS, BOOK)
    assert again.stalled == (replace(first_item(), relay_id="s1", since_ms=at_ms + 10, redelivered=True),)


async def test_a_live_lease_is_never_touched(side: Side) -> None:
    """Nor for ten seconds after it; quiet is counted beside it, so what was claimed long ago is lost then."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    over_ms = LEASE_MS + STALLED_AFTER_MS // 6
    assert over_ms < LEASE_MS + STALLED_AFTER_MS
    for after_ms in (STALLED_AFTER_MS + 1, LEASE_MS, over_ms):
        assert (await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, BOOK)).stalled == ()
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + over_ms + 1, STALLED_AFTER_MS, BOOK)
    assert keys(looked.stalled) == [first_item().key]


async def test_a_short_lease_does_not_shorten_the_patience(side: Side) -> None:
    """What was dispatched a moment ago is on its way."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(replace(claim_of(first_item()), lease_until_ms=NOW_MS + 1))
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + STALLED_AFTER_MS, STALLED_AFTER_MS, BOOK)
    assert looked.stalled == ()


async def test_a_future_timer_is_never_touched(side: Side) -> None:
    """Quiet is counted from the time at which it is due."""
    job = replace(a_job(), start_at_ms=NOW_MS + 50_000)
    await side.store.create(creation(job), "witness", NOW_MS)
    for after_ms in (50_000, STALLED_AFTER_MS + 1, 50_000 + STALLED_AFTER_MS):
        assert (await side.store.reconcile(JOB_ID, "sweep", NOW_MS + after_ms, STALLED_AFTER_MS, BOOK)).stalled == ()
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 50_000 + STALLED_AFTER_MS + 1, STALLED_AFTER_MS, BOOK)
    assert keys(looked.stalled) == [first_item().key]


async def test_a_timer_of_who_had_lost_its_message_is_published_once_more(side: Side) -> None:
    """Its publication may have failed, and its message was acknowledged before: nobody would come back."""
    await in_place(side)
    await again(side)
    timer = replace(loop_item(JOB_ID, 2, 1, NOW_MS), not_before_ms=NOW_MS + 9 * STALLED_AFTER_MS)
    assert (await committed(side, changes=replace(OVER, join=None, items=(timer,)))).applied
    for sweep, found in (("s1", [timer.key]), ("s2", [])):
        at_ms = NOW_MS + (1 + (sweep == "s2")) * (STALLED_AFTER_MS + 1)
        looked = await side.store.reconcile(JOB_ID, sweep, at_ms, STALLED_AFTER_MS, BOOK)
        assert [item.key for item in looked.stalled if item.kind is ItemKind.LOOP] == found


async def test_of_many_items_only_the_quiet_ones_are_lost(side: Side) -> None:
    """In the order of their keys."""
    items = await fan_out(side, 12)
    await side.store.claim(claim_of(items[3], "m2", "o2", after_ms=STALLED_AFTER_MS))
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + STALLED_AFTER_MS + 1, STALLED_AFTER_MS, BOOK)
    assert keys(looked.stalled) == sorted(item.key for item in items if item is not items[3])


async def test_a_lost_lease_may_be_claimed_as_before(side: Side) -> None:
    """A look is no claim."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.reconcile(JOB_ID, "sweep", NOW_MS + STALLED_AFTER_MS + 1, STALLED_AFTER_MS, BOOK)
    claim_result = await side.store.claim(claim_of(first_item(), "m2", after_ms=STALLED_AFTER_MS + 2))
    assert claim_result.verdict is Verdict.GRANTED


async def test_children_are_looked_at_with_their_root(side: Side) -> None:
    """The whole tree is one hash."""
    child = a_job(f"{JOB_ID}.1")
    await side.store.create(creation(a_job()), "w1", NOW_MS)
    await side.store.create(creation(child), "w2", NOW_MS)
    looked = await side.store.reconcile(
        JOB_ID, "sweep", NOW_MS + STALLED_AFTER_MS + 1, STALLED_AFTER_MS, book_of(JOB_ID, child.id)
    )
    assert sorted(keys(looked.stalled)) == sorted([first_item().key, first_item(child.id).key])


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_ended_jobs_of_a_tree_are_named_once_the_admission_has_heard_so(side: Side, status: JobStatus) -> None:
    """While their last request is open a sweep looks at them. The root's state says nothing about its children's."""
    child = a_job(f"{JOB_ID}.1")
    await side.store.create(creation(a_job()), "w1", NOW_MS)
    await side.store.create(creation(child), "w2", NOW_MS)
    end = Changes(job=replace(child, status=status), ends=True)
    await side.store.commit(claim_of(first_item(child.id), "m1"), end, SPENT)
    slot_table = book_of(JOB_ID, child.id)
    assert await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, slot_table) == Reconciled(
        True, session_id="session_a"
    )
    gone = slot_request_of("gone", "m1", job_id=child.id)
    await side.store.commit(claim_of(gone, "m1"), Changes(admitted=True), SPENT)
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, slot_table)
    assert looked == Reconciled(known=True, session_id="session_a", ended=(child.id,))


async def test_an_unknown_job_is_not_known(side: Side) -> None:
    """Nothing is written for it."""
    assert await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, BOOK) == Reconciled(known=False)
    assert (await side.store.claim(claim_of(call_item(0)))).verdict is Verdict.UNKNOWN


async def test_an_entry_without_a_job_below_a_known_root_is_named(side: Side) -> None:
    """A failover forgot that it was started; an entry of the root itself is another matter."""
    await side.store.create(creation(a_job()), "w1", NOW_MS)
    slot_table = book_of(JOB_ID, f"{JOB_ID}.2", f"{JOB_ID}.1", "job_z.1")
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS, STALLED_AFTER_MS, slot_table)
    assert looked.forgotten == (f"{JOB_ID}.1", f"{JOB_ID}.2")


async def test_a_job_that_ended_with_its_parent_before_it_did_anything_is_looked_at(side: Side) -> None:
    """Its slot request was lost, and is redriven."""
    await side.store.create(creation(a_job()), "w1", NOW_MS)
    child = creation(a_job(f"{JOB_ID}.1"), slot=False)
    await side.store.commit(claim_of(first_item(), "m1"), Changes(items=(call_item(0),), child=child), SPENT)
    end = Changes(job=replace(a_job(), status=JobStatus.CANCELLED), ends=True, closing=("{}",))
    await side.store.commit(claim_of(call_item(0), "m2"), end, SPENT)
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + STALLED_AFTER_MS + 9, STALLED_AFTER_MS, {})
    assert slot_request_of("gone", "m2", job_id=f"{JOB_ID}.1").key.split(":")[1] in {
        item.job_id for item in looked.stalled
    }


async def test_a_look_at_one_job_that_nobody_knows_finds_nothing(side: Side) -> None:
    """As where a failover forgot that a job below was started; the others are left alone."""
    await fan_out(side, 1)
    looked = await side.store.reconcile(JOB_ID, "w1", NOW_MS + 500_000, 60_000, {}, only=f"{JOB_ID}.7")
    assert (looked.known, looked.stalled) == (True, ())
