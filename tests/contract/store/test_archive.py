"""Ended jobs: recalled for a retry, begun again, removed; and what is left of those whose data is gone.

Commands are decided on a job as it was loaded, recorded only if it still is so.
"""

import asyncio

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.scores import Score
from baton.engine.commit.answers import (
    LEAST_TOMBSTONE_MS,
    Recalled,
    Recorded,
    Removed,
    Signal,
    SignalResult,
    Tombstone,
    Verdict,
)
from baton.engine.effects import Changes
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import JobStatus
from baton.engine.work_items import loop_item
from baton.sdk.records.transcript import MEMORY_ROLE
from baton_events.errors import JobGoneError
from baton_events.ids import canonical_json
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    loaded_of,
    record_of,
)
from tests.contract.store.side import Side
from tests.contract.store.test_commit import END, ENDED, expiry_ms

AGAIN = replace(a_job(), run=2)
CHILD_ID = f"{JOB_ID}.1"


def begins_again(*forgets: str, job: Job = AGAIN) -> Changes:
    return Changes(job=job, items=(loop_item(JOB_ID, 2, 1, NOW_MS),), forgets=forgets, begins_again=True)


async def recalled_of(side: Side) -> Recalled:
    recalled = await side.archive.recall(JOB_ID)
    assert recalled is not None
    return recalled


async def ended(side: Side) -> Recalled:
    """A job with two calls, the first of which has a result, that has ended."""
    items = await fan_out(side, 2)
    records = tuple(record_of(item) for item in items)
    changes = Changes(calls=records, results={items[0].call_id: '{"ok":1}'})
    await side.store.commit(claim_of(items[0], "m2"), changes)
    await side.store.commit(claim_of(items[1], "m3"), END)
    return await recalled_of(side)


async def test_a_job_is_recalled_with_its_calls_and_what_it_has_left_to_do(side: Side) -> None:
    recalled = await ended(side)
    assert recalled.loaded.job == recalled.ended.job == ENDED
    assert sorted(call.id for call in recalled.ended.calls) == [call_item(0).call_id, call_item(1).call_id]
    assert all(isinstance(call, CallRecord) for call in recalled.ended.calls)
    assert (recalled.ended.entries, recalled.ended.kept) == (1, 1)
    assert [(unsent.slot_request.want, unsent.job) for unsent in recalled.slot_requests] == [("gone", ENDED)]
    found = await side.reader.calls([JOB_ID, CHILD_ID])  # of many jobs, without their results
    named = {name: sorted(call.id for call in calls) for name, calls in found.items()}
    assert named == {JOB_ID: sorted(call.id for call in recalled.ended.calls)}
    assert await side.reader.calls([]) == {}
    for unknown in ("job_b", f"{JOB_ID}.9"):
        assert (await side.archive.recall(unknown), await side.store.load(unknown)) == (None, None)


async def test_what_was_remembered_for_a_job_is_sent_in_each_run(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    entries = (canonical_json({"role": MEMORY_ROLE, "entries": [], "warnings": []}), '{"role":"model"}')
    await side.store.commit(claim_of(first_item()), Changes(transcript=entries))
    recalled = await recalled_of(side)
    assert (recalled.ended.entries, recalled.ended.kept) == (3, 2)


async def test_a_retry_takes_what_an_ended_job_had_left_to_do_and_what_is_to_be_forgotten(side: Side) -> None:
    recalled = await ended(side)
    recorded, pending = await side.store.record(recalled.loaded, "w", begins_again(call_item(0).call_id), NOW_MS)
    assert recorded is Recorded.COMMITTED
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.results) == (AGAIN, {})
    assert [(item.kind, item.want) for item in snapshot.items] == [("loop", ""), ("slot_request", "slot")]
    assert [item.kind for item in pending] == ["slot_request"]
    assert snapshot.slot_state.epoch > recalled.slot_requests[0].slot_request.attempt
    # What it used before was told with its end; the retry counts from there.
    assert snapshot.usage.before["redis_requests"] == snapshot.usage.redis_requests - 1 > 0


async def test_nothing_of_a_retried_tree_expires(real: Side, redis_process: RedisProcess) -> None:
    await real.store.create(creation(a_job()), "m1", NOW_MS)
    await real.store.create(creation(a_job(CHILD_ID)), "m1", NOW_MS)
    await real.store.commit(claim_of(first_item()), END)
    recalled = await recalled_of(real)
    assert all(left_ms > 0 for left_ms in expiry_ms(redis_process).values())
    await real.store.record(recalled.loaded, "w", begins_again(), NOW_MS)
    assert set(expiry_ms(redis_process).values()) == {-1}
    assert not [key for key in expiry_ms(redis_process) if key.endswith("tombstone")]


async def test_a_tree_expires_though_a_retry_that_came_too_late_is_written_with_others(
    real: Side, redis_process: RedisProcess
) -> None:
    """Such a retry answers that the job has changed; what was written with it kept the ended tree for ever."""
    recalled = await ended(real)
    late = replace(recalled.loaded, job=AGAIN)
    [release] = (unsent.slot_request for unsent in recalled.slot_requests)
    queue = real.store._transactions._queue(JOB_ID)
    async with queue.lock:
        retried = asyncio.create_task(real.store.record(late, "w", begins_again(), NOW_MS))
        claimed = asyncio.create_task(real.store.claim(claim_of(release, "m9")))
        for _ in range(1_000):
            await asyncio.sleep(0.001)
            if len(queue.waiting) > 1:
                break
    assert (await retried)[0] is Recorded.CHANGED
    assert (await claimed).verdict is Verdict.GRANTED
    assert all(left_ms > 0 for left_ms in expiry_ms(redis_process).values())


async def test_what_comes_of_an_earlier_run_is_dropped(side: Side) -> None:
    """Though a work item of the later one has the same key; a call that runs again waits for another outcome."""
    recalled, call_id = await ended(side), call_item(1).call_id
    again = Changes(job=AGAIN, items=(first_item(),), forgets=(call_id,), begins_again=True)
    await side.store.record(recalled.loaded, "w", again, NOW_MS)
    for run, told, applied in ((1, SignalResult.ENDED, False), (2, SignalResult.FIRST, True)):
        signal = Signal(f"f{run}", f'{{"ok":{run}}}', call_id, run=run)
        assert (await side.store.signal(JOB_ID, "m8", signal, NOW_MS)).signal_result is told
        claim = replace(claim_of(first_item(), "m9"), run=run)
        assert (await side.store.commit(claim, Changes(parts=(f"{run}",)))).applied is applied


async def test_a_removed_job_leaves_a_tombstone_that_nothing_brings_it_back_over(side: Side) -> None:
    """Neither its backup message, nor a late message, nor an outcome, nor the sweep; nor is it removed twice."""
    recalled = await ended(side)
    assert await side.archive.tombstone(JOB_ID) is None
    assert await side.archive.remove(recalled) is Removed.REMOVED
    assert await side.archive.tombstone(JOB_ID) == Tombstone("tenant_a", deleted=True)
    assert await side.archive.tombstone(CHILD_ID) == Tombstone("tenant_a", deleted=True)
    with pytest.raises(JobGoneError, match="job_a"):
        await side.store.create(creation(a_job()), "witness", NOW_MS)
    assert (await side.store.claim(claim_of(first_item()))).verdict is Verdict.APPLIED
    assert (await side.store.claim(claim_of(first_item(CHILD_ID)))).verdict is Verdict.APPLIED
    found = await side.store.signal(JOB_ID, "m8", Signal("f", '{"ok":1}', call_item(1).call_id), NOW_MS)
    assert found.signal_result is SignalResult.ENDED
    assert not (await side.store.reconcile(JOB_ID, "m9", NOW_MS, 60_000, {})).known
    assert (await side.store.record(recalled.loaded, "w", begins_again(), NOW_MS))[0] is Recorded.UNKNOWN
    assert await side.archive.remove(recalled) is Removed.UNKNOWN
    assert await side.reader.job(JOB_ID) is None
    assert (await side.reader.parts(JOB_ID, 0)).parts == ()


async def test_a_removal_takes_every_key_of_the_tree(real: Side, redis_process: RedisProcess) -> None:
    await real.store.create(creation(a_job(CHILD_ID)), "m1", NOW_MS)
    await ended(real)
    recalled = await recalled_of(real)
    assert await real.archive.remove(recalled) is Removed.REMOVED
    assert list(expiry_ms(redis_process)) == [f"baton:{{{JOB_ID}}}:tombstone"]
    assert 0 < expiry_ms(redis_process)[f"baton:{{{JOB_ID}}}:tombstone"] <= LEAST_TOMBSTONE_MS


async def test_a_job_that_is_not_as_it_was_recalled_is_not_removed(side: Side) -> None:
    """It runs again, it lives, or it has something to say that the admission has not heard."""
    recalled = await ended(side)
    assert await side.archive.remove(replace(recalled, slot_requests=())) is Removed.CHANGED
    await side.store.record(recalled.loaded, "w", begins_again(), NOW_MS)
    assert await side.archive.remove(recalled) is Removed.CHANGED
    assert await side.archive.remove(await recalled_of(side)) is Removed.CHANGED
    assert await side.reader.job(JOB_ID) is not None


async def test_an_expired_job_leaves_a_tombstone(real: Side, redis_process: RedisProcess) -> None:
    await ended(real)
    keys = [key for key in expiry_ms(redis_process) if not key.endswith("tombstone")]
    redis_process.request("DEL", *keys)  # as the server does when their time has come
    assert await real.archive.tombstone(JOB_ID) == Tombstone("tenant_a", deleted=False)
    with pytest.raises(JobGoneError):
        await real.store.create(creation(a_job()), "witness", NOW_MS)


async def test_a_score_is_read_with_its_job_and_goes_with_its_data(side: Side) -> None:
    """A later one of its name replaces it; a job that is not there gets none, and none of another job is shown."""
    recalled = await ended(side)
    for score in (Score("b", 1, "", NOW_MS, "me"), Score("a", True, "so", NOW_MS), Score("b", 0.5)):
        assert await side.archive.keep_score(a_job(), score)
    assert not await side.archive.keep_score(replace(a_job(), id=CHILD_ID), Score("a", 1))
    read = await job_of(side)
    assert read.scores == (Score("a", True, "so", NOW_MS), Score("b", 0.5))
    assert isinstance(read.scores[0].value, bool)
    assert await side.archive.remove(recalled) is Removed.REMOVED
    assert not await side.archive.keep_score(a_job(), Score("a", 1))


CANCELLED = replace(a_job(), status=JobStatus.CANCELLED, finished_at_ms=NOW_MS)
CANCEL = Changes(job=CANCELLED, parts=('{"type":"abort"}',), ends=True)


async def test_a_command_about_a_job_that_changed_since_writes_nothing(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    loaded = await loaded_of(side)
    goes_on = Changes(job=replace(a_job(), status=JobStatus.PROCESSING), items=(call_item(0),))
    await side.store.commit(claim_of(first_item()), goes_on)
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
