"""Commands: decided on a job as it was loaded, recorded only if it still is so."""

from dataclasses import replace

from msgspec import structs

from baton.engine.commit.answers import Recorded, Verdict
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.state import Usage
from baton.engine.transitions import JobStatus
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    slot_request_of,
)
from tests.contract.store.side import Side

CANCELLED = structs.replace(a_job(), status=JobStatus.CANCELLED, finished_at_ms=NOW_MS)
CANCEL = Changes(job=CANCELLED, parts=('{"type":"abort"}',), ends=True)


async def test_an_unknown_job_is_not_loaded(side: Side) -> None:
    """Nor is a child of a known one."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert await side.store.load("job_b") is None
    assert await side.store.load(f"{JOB_ID}.1") is None


async def test_a_fact_about_the_job_as_it_was_loaded_is_recorded(side: Side) -> None:
    """Its backup message carries what follows."""
    await fan_out(side, 2)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    assert loaded.job == a_job()
    recorded, pending = await side.store.record(loaded, "w", CANCEL, NOW_MS)
    assert (recorded, pending) == (Recorded.COMMITTED, (slot_request_of("gone", "w"),))
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert (snapshot.job, snapshot.items) == (CANCELLED, pending)
    assert (await side.reader.parts(JOB_ID, 1)).parts == CANCEL.parts


async def test_a_fact_about_a_job_that_changed_since_writes_nothing(side: Side) -> None:
    """It is to be decided anew."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    inline_continuation = Changes(job=structs.replace(a_job(), status=JobStatus.PROCESSING), items=(call_item(0),))
    await side.store.commit(claim_of(first_item()), inline_continuation, SPENT)
    before = await side.reader.job(JOB_ID)
    assert await side.store.record(loaded, "w", CANCEL, NOW_MS) == (Recorded.CHANGED, ())
    assert await side.reader.job(JOB_ID) == before


async def test_a_repeated_record_finds_the_job_changed_by_itself(side: Side) -> None:
    """One whose reply was lost: the fact counts once."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    await side.store.record(loaded, "w", CANCEL, NOW_MS)
    assert await side.store.record(loaded, "w", CANCEL, NOW_MS) == (Recorded.CHANGED, ())
    assert len((await side.reader.parts(JOB_ID, 1)).parts) == 1


async def test_a_fact_of_an_unknown_job_is_not_recorded(side: Side) -> None:
    """A forgotten job comes back by the backup message of its submission only."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    stranger = replace(loaded, job=a_job("job_b"))
    assert await side.store.record(stranger, "w", CANCEL, NOW_MS) == (Recorded.UNKNOWN, ())
    assert await side.reader.job("job_b") is None


async def test_work_that_runs_while_a_fact_is_recorded_goes_on_or_finds_its_item_gone(side: Side) -> None:
    """A fact that ends nothing leaves work items and claims alone."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    claim_result = await side.store.claim(claim_of(first_item()))
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    assert (await side.store.record(loaded, "w", Changes(parts=("{}",)), NOW_MS))[0] is Recorded.COMMITTED
    assert (await side.store.claim(claim_of(first_item()))).state == claim_result.state
    assert (await side.store.record(loaded, "w", CANCEL, NOW_MS))[0] is Recorded.COMMITTED
    assert (await side.store.claim(claim_of(first_item()))).verdict is Verdict.APPLIED


async def test_a_fact_counts_what_it_took_and_its_own_request(side: Side) -> None:
    """In the usage ledger of its job, which the creation has begun."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    await side.store.record(loaded, "w", Changes(), NOW_MS + 3, Spent(messages=1, requests=1))
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert structs.replace(snapshot.usage, redis_commands=0, redis_bytes=0, stamp="") == Usage(1, 3, 0, NOW_MS + 3)
