"""The end: it takes the job's own work items with it, all but its last word to the admission; then its data expires.

The work item that remembers an ended job outlives its end.
"""

from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.commit.answers import LEAST_TOMBSTONE_MS, Committed, Verdict
from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.state import State
from baton.engine.step_results import ModelAnswered
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, remember_item
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    by_key,
    call_item,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    job_of,
    next_turn,
    record_of,
    slot_request_of,
    table_of,
)
from tests.contract.store.side import RETENTION_MS, Side

CHILD_ID = f"{JOB_ID}.1"
ENDED = replace(a_job(), status=JobStatus.FAILED, finished_at_ms=NOW_MS)
GONE = slot_request_of("gone", "m3")
END = Changes(job=ENDED, parts=('{"type":"finish"}',), ends=True)


def expiry_ms(process: RedisProcess) -> dict[str, int]:
    """Every key of the server, and in how many milliseconds it goes; -1: never."""
    return {key: process.request("PTTL", key) for key in process.request("KEYS", "*")}


async def test_the_end_takes_all_items_of_the_job(side: Side) -> None:
    """Claimed ones, too; whoever comes later finds nothing to do and carries nothing."""
    items = await fan_out(side, 3)
    for claim in (claim_of(items[0], "m3"), claim_of(items[1], "m2", "o2")):
        await side.store.claim(claim)
    assert await side.store.commit(claim_of(items[0], "m3"), END) == Committed(True, (GONE,))
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.items) == (ENDED, (GONE,))
    assert (await side.store.claim(claim_of(items[1], "m2", "o2"))).verdict is Verdict.APPLIED
    assert await side.store.commit(claim_of(items[1], "m2", "o2"), Changes()) == Committed(applied=False)
    assert not await side.store.append(claim_of(items[1], "m2", "o2"), 1, ["{}"])


async def test_a_parent_ends_without_touching_a_stranger_whose_id_begins_like_its_own(side: Side) -> None:
    await side.store.create(creation(a_job(CHILD_ID)), "m1", NOW_MS)
    await side.store.create(creation(a_job(f"{CHILD_ID}1")), "m2", NOW_MS)
    end = replace(END, job=replace(ENDED, id=CHILD_ID))
    await side.store.commit(claim_of(first_item(CHILD_ID), "m1"), end)
    assert (await side.store.claim(claim_of(first_item(f"{CHILD_ID}1"), "m2"))).verdict is Verdict.GRANTED


async def test_nothing_of_a_live_job_expires(real: Side, redis_process: RedisProcess) -> None:
    items = await fan_out(real, 2)
    changes = Changes(items=(complete_item(0),), results={items[0].call_id: '{"ok":1}'}, parts=("{}",))
    await real.store.commit(claim_of(items[0], "m2"), changes)
    await real.store.append(claim_of(items[1], "m3"), 1, ["{}"])
    await real.store.undelivered(claim_of(items[1], "m4"), "m1")
    await real.store.reconcile(JOB_ID, "m5", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    found = expiry_ms(redis_process)
    assert len(found) == 3
    assert set(found.values()) == {-1}


async def test_every_key_of_an_ended_job_expires(real: Side, redis_process: RedisProcess) -> None:
    """After the retention time, counted from the end; what is left then after as long again."""
    items = await fan_out(real, 2)
    await real.store.commit(claim_of(items[0], "m2"), Changes(results={items[0].call_id: "{}"}))
    await real.store.commit(claim_of(items[1], "m3"), END)
    found = expiry_ms(redis_process)
    tombstone_ms = found.pop(f"baton:{{{JOB_ID}}}:tombstone")
    assert 0 <= RETENTION_MS + LEAST_TOMBSTONE_MS - tombstone_ms < 60_000
    assert len(found) == 3
    assert all(RETENTION_MS - 60_000 < left_ms <= RETENTION_MS for left_ms in found.values()), found


async def test_what_comes_after_the_end_leaves_no_key_that_stays(real: Side, redis_process: RedisProcess) -> None:
    await real.store.create(creation(a_job()), "witness", NOW_MS)
    await real.store.commit(claim_of(first_item(), "m1"), END)
    before = set(expiry_ms(redis_process))
    late = Changes(items=(call_item(0),), calls=(record_of(call_item(0)),), results={"a": "{}"}, parts=("{}",))
    await real.store.claim(claim_of(first_item(), "m2"))
    await real.store.commit(claim_of(first_item(), "m2"), replace(late, join=next_turn()))
    await real.store.create(creation(a_job()), "witness2", NOW_MS)
    await real.store.undelivered(claim_of(first_item(), "m4"), "m1")
    await real.store.append(claim_of(first_item()), 1, ["{}"])
    await real.store.reconcile(JOB_ID, "m5", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    found = expiry_ms(redis_process)
    assert set(found) == before
    assert all(left_ms > 0 for left_ms in found.values()), found


REMEMBER = remember_item(JOB_ID, 1, 1, NOW_MS)


async def answered(side: Side) -> tuple[WorkItem, ...]:
    """A job that remembers has answered; what its last message carries."""
    job = replace(a_job(), remembers=True)
    await side.store.create(creation(job), "witness", NOW_MS)
    changes = decide(State(job, first_item()), ModelAnswered("done"), NOW_MS).changes
    assert changes is not None
    committed = await side.store.commit(claim_of(first_item(), "m1"), changes)
    assert committed.applied
    return committed.pending


async def test_the_item_that_remembers_outlives_its_job_s_end(side: Side) -> None:
    """With the last slot request; it needs no slot, and its claim has the job's task and nothing more."""
    pending = await answered(side)
    assert [item.kind for item in pending] == [ItemKind.REMEMBER, ItemKind.SLOT_REQUEST]
    snapshot = await job_of(side)
    assert (by_key(snapshot.items), snapshot.job.remembers) == (by_key(pending), True)
    claim_result = await side.store.claim(claim_of(REMEMBER, "m2", "o2"))
    assert claim_result.verdict is Verdict.GRANTED
    assert [entry["text"] for entry in claim_result.history.transcript] == ["do it"]
    assert claim_result.history.results == {}
    assert claim_result.state is not None
    assert claim_result.state.job.result == {"answer": "done"}
    assert (await side.store.claim(claim_of(REMEMBER, "m3", "o3"))).verdict is Verdict.BUSY


async def test_the_sweep_replays_it_and_keeps_the_job_in_the_slot_table_until_then(side: Side) -> None:
    """Else nobody would look for it any more."""
    pending = await answered(side)
    [slot_request] = [item for item in pending if item.kind is ItemKind.SLOT_REQUEST]
    slot_answer = claim_of(slot_request, "m2", "o2")
    await side.store.claim(slot_answer)
    await side.store.commit(slot_answer, Changes(admitted=True))
    slot_table = {JOB_ID: QueueEntry("tenant_a", "session_a", 5, NOW_MS, epoch=slot_request.attempt, want="gone")}
    later_ms = NOW_MS + LEASE_MS
    found = await side.store.reconcile(JOB_ID, "sweep", later_ms, 60_000, slot_table)
    assert ([item.key for item in found.stalled], found.ended) == ([REMEMBER.key], ())
    claim = claim_of(REMEMBER, "sweep", "o3", after_ms=LEASE_MS)
    await side.store.claim(claim)
    await side.store.commit(claim, Changes())
    found = await side.store.reconcile(JOB_ID, "sweep2", later_ms, 60_000, slot_table)
    assert (found.stalled, found.ended) == ((), (JOB_ID,))
