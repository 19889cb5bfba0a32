"""The end: it takes the job's own work items with it, all but its last word to the admission; then its data expires."""

from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
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
    await side.store.claim(claim_of(items[1], "m2", "o2"))
    assert await side.store.commit(claim_of(items[0], "m3"), END, SPENT) == Committed(True, (GONE,))
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.items) == (ENDED, (GONE,))
    assert (await side.store.claim(claim_of(items[1], "m2", "o2"))).verdict is Verdict.APPLIED
    assert await side.store.commit(claim_of(items[1], "m2", "o2"), Changes(), SPENT) == Committed(applied=False)
    assert not await side.store.append(claim_of(items[1], "m2", "o2"), 1, ["{}"])


async def test_the_end_of_a_fan_out_of_five_hundred_takes_every_item(side: Side) -> None:
    items = await fan_out(side, 500)
    assert await side.store.commit(claim_of(items[0], "m3"), END, SPENT) == Committed(True, (GONE,))
    snapshot = await job_of(side)
    assert snapshot.items == (GONE,)


async def test_a_parent_ends_without_touching_a_stranger_whose_id_begins_like_its_own(side: Side) -> None:
    await side.store.create(creation(a_job(CHILD_ID)), "m1", NOW_MS)
    await side.store.create(creation(a_job(f"{CHILD_ID}1")), "m2", NOW_MS)
    end = replace(END, job=replace(ENDED, id=CHILD_ID))
    await side.store.commit(claim_of(first_item(CHILD_ID), "m1"), end, SPENT)
    assert (await side.store.claim(claim_of(first_item(f"{CHILD_ID}1"), "m2"))).verdict is Verdict.GRANTED


async def test_nothing_of_a_live_job_expires(real: Side, redis_process: RedisProcess) -> None:
    items = await fan_out(real, 2)
    changes = Changes(items=(complete_item(0),), results={items[0].call_id: '{"ok":1}'}, parts=("{}",))
    await real.store.commit(claim_of(items[0], "m2"), changes, SPENT)
    await real.store.append(claim_of(items[1], "m3"), 1, ["{}"])
    await real.store.undelivered(claim_of(items[1], "m4"), "m1")
    await real.store.reconcile(JOB_ID, "m5", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    found = expiry_ms(redis_process)
    assert len(found) == 4
    assert set(found.values()) == {-1}


async def test_every_key_of_an_ended_job_expires(real: Side, redis_process: RedisProcess) -> None:
    """After the retention time, counted from the end; what is left then after as long again."""
    items = await fan_out(real, 2)
    await real.store.commit(claim_of(items[0], "m2"), Changes(results={items[0].call_id: "{}"}), SPENT)
    await real.store.commit(claim_of(items[1], "m3"), END, SPENT)
    found = expiry_ms(redis_process)
    tombstone_ms = found.pop(f"baton:{{{JOB_ID}}}:tombstone")
    assert 2 * RETENTION_MS - 60_000 < tombstone_ms <= 2 * RETENTION_MS
    assert len(found) == 4
    assert all(RETENTION_MS - 60_000 < left_ms <= RETENTION_MS for left_ms in found.values()), found


async def test_what_comes_after_the_end_leaves_no_key_that_stays(real: Side, redis_process: RedisProcess) -> None:
    await real.store.create(creation(a_job()), "witness", NOW_MS)
    await real.store.commit(claim_of(first_item(), "m1"), END, SPENT)
    before = set(expiry_ms(redis_process))
    late = Changes(items=(call_item(0),), calls=(record_of(call_item(0)),), results={"a": "{}"}, parts=("{}",))
    await real.store.claim(claim_of(first_item(), "m2"))
    await real.store.commit(claim_of(first_item(), "m2"), replace(late, join=next_turn()), SPENT)
    await real.store.create(creation(a_job()), "witness2", NOW_MS)
    await real.store.undelivered(claim_of(first_item(), "m4"), "m1")
    await real.store.append(claim_of(first_item()), 1, ["{}"])
    await real.store.reconcile(JOB_ID, "m5", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    found = expiry_ms(redis_process)
    assert set(found) == before
    assert all(left_ms > 0 for left_ms in found.values()), found
