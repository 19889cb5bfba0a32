"""Commands: decided on a job as it was loaded, recorded only if it still is so."""

from msgspec import structs

from baton.engine.commit.answers import Recorded, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    loaded_of,
)
from tests.contract.store.side import Side

CANCELLED = structs.replace(a_job(), status=JobStatus.CANCELLED, finished_at_ms=NOW_MS)
CANCEL = Changes(job=CANCELLED, parts=('{"type":"abort"}',), ends=True)


async def test_an_unknown_job_is_not_loaded(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert await side.store.load("job_b") is None
    assert await side.store.load(f"{JOB_ID}.1") is None


async def test_a_command_about_a_job_that_changed_since_writes_nothing(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    loaded = await loaded_of(side)
    inline_continuation = Changes(job=structs.replace(a_job(), status=JobStatus.PROCESSING), items=(call_item(0),))
    await side.store.commit(claim_of(first_item()), inline_continuation, SPENT)
    before = await side.reader.job(JOB_ID)
    assert await side.store.record(loaded, "w", CANCEL, NOW_MS) == (Recorded.CHANGED, ())
    assert await side.reader.job(JOB_ID) == before


async def test_work_that_runs_while_a_command_is_recorded_goes_on_or_finds_its_item_gone(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    claim_result = await side.store.claim(claim_of(first_item()))
    loaded = await loaded_of(side)
    assert (await side.store.record(loaded, "w", Changes(parts=("{}",)), NOW_MS))[0] is Recorded.COMMITTED
    assert (await side.store.claim(claim_of(first_item()))).state == claim_result.state
    assert (await side.store.record(loaded, "w", CANCEL, NOW_MS))[0] is Recorded.COMMITTED
    assert (await side.store.claim(claim_of(first_item()))).verdict is Verdict.APPLIED
