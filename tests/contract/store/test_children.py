"""Children: started in their parent's commit, reporting to it in their last one, and ended with it."""

from msgspec.structs import replace

from baton.engine.commit.answers import Loaded
from baton.engine.effects import Changes, Report
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.sdk.records import FOREVER_MS
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    slot_request_of,
)
from tests.contract.store.side import Side
from tests.contract.store.test_signals import wait_item

CHILD, GRANDCHILD = f"{JOB_ID}.aaaaaaaaaa", f"{JOB_ID}.aaaaaaaaaa.bbbbbbbbbb"
ANSWER = '{"ok":"the answer"}'


async def started(side: Side) -> None:
    """A job that waits for a child, which is about to begin."""
    (call,) = await fan_out(side, 1)
    changes = Changes(items=(wait_item(0, until_ms=FOREVER_MS),), child=creation(a_job(CHILD), slot=False))
    assert (await side.store.commit(claim_of(call, "m2"), changes, SPENT)).applied


async def ended(side: Side, job_id: str, message: str, report: Report | None = None) -> None:
    """A job's last commit."""
    loaded = await side.store.load(job_id)
    assert loaded is not None
    done = replace(loaded.job, status=JobStatus.COMPLETED, result={"answer": "the answer"})
    changes = Changes(job=done, ends=True, report=report, closing=('{"type":"abort"}',))
    assert (await side.store.record(loaded, message, changes, NOW_MS + 5))[0] == "committed"


async def test_a_child_is_created_with_its_stream_and_its_slot_request(side: Side) -> None:
    """Carried by the message that started it; what it does waits for its slot."""
    await started(side)
    pending = (await side.store.claim(claim_of(call_item(0), "m2"))).pending
    assert [(item.job_id, item.kind) for item in by_key(pending)] == [
        (CHILD, ItemKind.SLOT_REQUEST),
        (JOB_ID, ItemKind.SLOT_REQUEST),
    ]
    snapshot = await side.reader.job(CHILD)
    assert snapshot is not None
    assert (snapshot.job, snapshot.task["text"]) == (creation(a_job(CHILD)).job, "do it")
    assert [item.kind for item in snapshot.items] == [ItemKind.LOOP, ItemKind.SLOT_REQUEST]
    assert len((await side.reader.parts(CHILD, 0)).parts) == 1


async def test_the_end_of_a_child_wakes_the_call_that_started_it(side: Side) -> None:
    """In the same script; its answer is the call's outcome."""
    await started(side)
    await ended(side, CHILD, "m3", Report(call_item(0).call_id, ANSWER))
    claim_result = await side.store.claim(claim_of(wait_item(0), "m3", after_ms=6))
    assert claim_result.state is not None
    assert (claim_result.state.job.id, claim_result.state.outcome) == (JOB_ID, ANSWER)
    assert claim_result.pending == (slot_request_of("gone", "m3", NOW_MS + 5, CHILD),)


async def test_the_end_of_a_parent_is_the_end_of_all_below_it(side: Side) -> None:
    """Their items go, their streams get last parts, their slots are given back; what they say later is dropped."""
    await started(side)
    below = Changes(items=(wait_item(0, until_ms=FOREVER_MS),), child=creation(a_job(GRANDCHILD), slot=False))
    await side.store.record(await _loaded(side, CHILD), "m4", replace(below, items=()), NOW_MS + 1)
    await ended(side, JOB_ID, "m5")
    for name in (CHILD, GRANDCHILD):
        snapshot = await side.reader.job(name)
        assert snapshot is not None
        assert (snapshot.job.status, snapshot.job.finished_at_ms) == (JobStatus.CANCELLED, NOW_MS + 5)
        assert snapshot.job.error is not None
        assert snapshot.job.error.message == "the job that started it has ended"
        assert [(item.kind, item.want) for item in snapshot.items] == [(ItemKind.SLOT_REQUEST, "gone")]
        assert (await side.reader.parts(name, 0)).parts[-1] == '{"type":"abort"}'
        assert not (await side.store.commit(claim_of(first_item(name), "m6"), Changes(), SPENT)).applied


async def _loaded(side: Side, job_id: str) -> Loaded:
    loaded = await side.store.load(job_id)
    assert loaded is not None
    return loaded
