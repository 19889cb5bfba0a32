"""The work item that remembers an ended job outlives its end: the same for the fake and for Redis."""

from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.commit.answers import Verdict
from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.state import State
from baton.engine.step_results import ModelAnswered
from baton.engine.work_items import ItemKind, WorkItem, remember_item
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    claim_of,
    creation,
    first_item,
    job_of,
)
from tests.contract.store.side import Side

REMEMBER = remember_item(JOB_ID, 1, 1, NOW_MS)


async def ended(side: Side) -> tuple[WorkItem, ...]:
    """A job that remembers has answered; what its last message carries."""
    job = replace(a_job(), remembers=True)
    await side.store.create(creation(job), "witness", NOW_MS)
    changes = decide(State(job, first_item()), ModelAnswered("done"), NOW_MS).changes
    assert changes is not None
    committed = await side.store.commit(claim_of(first_item(), "m1"), changes, SPENT)
    assert committed.applied
    return committed.pending


async def test_an_ended_job_keeps_this_item_and_its_last_slot_request(side: Side) -> None:
    pending = await ended(side)
    assert [item.kind for item in pending] == [ItemKind.REMEMBER, ItemKind.SLOT_REQUEST]
    snapshot = await job_of(side)
    assert by_key(snapshot.items) == by_key(pending)
    assert snapshot.job.remembers


async def test_its_claim_has_the_task_of_the_job(side: Side) -> None:
    await ended(side)
    claim_result = await side.store.claim(claim_of(REMEMBER, "m2", "o2"))
    assert claim_result.verdict is Verdict.GRANTED
    assert [entry["text"] for entry in claim_result.history.transcript] == ["do it"]
    assert claim_result.history.results == {}
    assert claim_result.state is not None
    assert claim_result.state.job.result == {"answer": "done"}
    busy = await side.store.claim(claim_of(REMEMBER, "m3", "o3"))
    assert busy.verdict is Verdict.BUSY


async def test_the_sweep_redrives_it_and_keeps_the_job_in_the_slot_table_until_then(side: Side) -> None:
    """Else nobody would look for it any more."""
    pending = await ended(side)
    [slot_request] = [item for item in pending if item.kind is ItemKind.SLOT_REQUEST]
    slot_answer = claim_of(slot_request, "m2", "o2")
    await side.store.claim(slot_answer)
    await side.store.commit(slot_answer, Changes(admitted=True), SPENT)
    slot_table = {JOB_ID: QueueEntry("tenant_a", "session_a", 5, NOW_MS, epoch=slot_request.attempt, want="gone")}
    later_ms = NOW_MS + LEASE_MS
    found = await side.store.reconcile(JOB_ID, "sweep", later_ms, 60_000, slot_table)
    assert ([item.key for item in found.stalled], found.ended) == ([REMEMBER.key], ())
    claim = claim_of(REMEMBER, "sweep", "o3", after_ms=LEASE_MS)
    await side.store.claim(claim)
    await side.store.commit(claim, Changes(), SPENT)
    found = await side.store.reconcile(JOB_ID, "sweep2", later_ms, 60_000, slot_table)
    assert (found.stalled, found.ended) == ((), (JOB_ID,))
