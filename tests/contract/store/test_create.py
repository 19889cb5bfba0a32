"""CREATE: a job is there once, carried by its backup message."""

from dataclasses import replace

from msgspec import structs

from baton.engine.commit.answers import Created
from baton.engine.commit.usage_ledger import Spent
from baton.engine.state import Usage
from tests.contract.store.sample import JOB_ID, NOW_MS, a_job, creation, first_item
from tests.contract.store.side import Side


async def test_a_new_job_is_guaranteed_by_its_backup(side: Side) -> None:
    """Its first turn is its only work item."""
    created = await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert created == Created(new=True, job=a_job(), pending=(structs.replace(first_item(), relay_id="m1"),))


async def test_the_same_message_again_finds_the_job_and_what_it_carries(side: Side) -> None:
    """A repeated command changes nothing but that the job's work item is dispatched."""
    first = await side.store.create(creation(a_job()), "m1", NOW_MS)
    again = await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert again == replace(first, new=False, pending=(structs.replace(first_item(), relay_id="m1", redelivered=True),))


async def test_another_message_finds_the_stored_job_and_carries_nothing(side: Side) -> None:
    """The first creation stays, whatever the second one holds."""
    await side.store.create(creation(a_job(), "first"), "m1", NOW_MS)
    before = await side.reader.job(JOB_ID)
    created = await side.store.create(creation(structs.replace(a_job(), priority=9), "second"), "m2", NOW_MS + 5)
    assert created == Created(new=False, job=a_job(), pending=())
    assert await side.reader.job(JOB_ID) == before


async def test_what_was_submitted_can_be_read(side: Side) -> None:
    """The task, the item, the first part, and usage ledger that begin with what was spent before, and one request."""
    await side.store.create(creation(a_job(), "do it"), "m1", NOW_MS, Spent(messages=1, requests=2, function_ms=7))
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.job == a_job()
    assert snapshot.task == {"role": "user", "v": 1, "text": "do it", "data": {"a": None}}
    assert snapshot.items == (structs.replace(first_item(), relay_id="m1"),)
    used = structs.replace(snapshot.usage, redis_commands=0, redis_bytes=0, stamp="")
    assert used == Usage(messages=1, redis_requests=3, updated_ms=NOW_MS, function_ms=7)
    assert (await side.reader.parts(JOB_ID, 0)).parts == creation(a_job()).parts


async def test_a_job_that_starts_later_has_an_item_that_waits(side: Side) -> None:
    """Its start time is kept with its work item."""
    job = structs.replace(a_job(), start_at_ms=NOW_MS + 5_000)
    created = await side.store.create(creation(job), "m1", NOW_MS)
    assert [item.not_before_ms for item in created.pending] == [NOW_MS + 5_000]


async def test_a_child_joins_the_tree_of_its_root(side: Side) -> None:
    """Each job has its own record and work items."""
    child = a_job(f"{JOB_ID}.1")
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert (await side.store.create(creation(child), "m2", NOW_MS)).new
    for job in (a_job(), child):
        snapshot = await side.reader.job(job.id)
        assert snapshot is not None
        assert (snapshot.job, [item.key for item in snapshot.items]) == (job, [first_item(job.id).key])
