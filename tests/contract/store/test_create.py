"""CREATE: a job is there once, carried by its backup message."""

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
