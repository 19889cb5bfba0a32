"""Reading jobs and parts: for people and programs, never part of a transition."""

from dataclasses import replace

import pytest
from msgspec import structs

from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import tool_key
from baton.storage.ports.jobs import StoredParts
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
    job_of,
    record_of,
)
from tests.contract.store.side import Side


async def test_an_unknown_job_is_none(side: Side) -> None:
    """Also where its root is known, or a child of it."""
    await side.reader.ping()
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    for job_id in ("job_b", f"{JOB_ID}.1", f"{JOB_ID}.1.1", ""):
        assert await side.reader.job(job_id) is None
        assert await side.reader.parts(job_id, 0) == StoredParts(None)
        assert await side.reader.transcript(job_id) == ()


async def test_tool_calls_come_by_turn_and_position(side: Side) -> None:
    places = [(10, 0), (2, 10), (2, 9), (1, 0)]
    records = tuple(record_of(call_item(position, turn=turn)) for turn, position in places)
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(calls=records), SPENT)
    snapshot = await job_of(side)
    assert [(call.turn, call.position) for call in snapshot.calls] == sorted(places)


async def test_entries_come_in_the_order_in_which_they_were_added(side: Side) -> None:
    await side.store.create(structs.replace(creation(a_job()), transcript=('{"n":1}',)), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(transcript=('{"n":2}', '{"n":3}')), SPENT)
    assert await side.reader.transcript(JOB_ID) == ({"n": 1}, {"n": 2}, {"n": 3})


async def test_items_come_by_key_and_belong_to_the_job(side: Side) -> None:
    await side.store.create(creation(a_job(f"{JOB_ID}.1")), "m0", NOW_MS)
    items = await fan_out(side, 11)
    snapshot = await job_of(side)
    assert [item.key for item in snapshot.items] == sorted(tool_key(item.kind, item.call_id, 1) for item in items)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(("after", "expected"), [(0, "abcd"), (1, "bcd"), (3, "d"), (4, ""), (99, ""), (-1, "d")])
async def test_parts_come_from_a_position_on(side: Side, after: int, expected: str, version: int) -> None:
    """`after` is how many the reader has; -1 is the last one alone. Jobs of older versions have a list."""
    new = structs.replace(a_job(), version=version)
    job = structs.replace(new, status=JobStatus.PROCESSING)
    await side.store.create(structs.replace(creation(new), parts=("a", "b")), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(job=job, parts=("c", "d")), SPENT)
    found = StoredParts(job, tuple(expected), max(0, after) + 1)
    assert (await side.reader.parts(JOB_ID, after), await side.reader.parts(JOB_ID, after, job)) == (found, found)
    assert await side.reader.parts_after(job, after) == found.parts


@pytest.mark.parametrize("after", [2**63 - 1, 2**63])
async def test_a_position_far_behind_the_end_has_no_parts(side: Side, after: int) -> None:
    """Also one that LRANGE refuses, which a reader may send as Last-Event-ID."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert (await side.reader.parts(JOB_ID, after)).parts == ()


async def test_whether_jobs_are_admitted_is_read_with_a_job(side: Side) -> None:
    """So that it can be said what a job in line waits for."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    for stopped in (False, True):
        snapshot = await job_of(side)
        assert (snapshot.stopped, (await side.reader.jobs([JOB_ID]))[JOB_ID].stopped) == (stopped, stopped)
        await side.admission_control.stop(NOW_MS)


async def test_many_jobs_are_read_at_once_and_unknown_ones_are_left_out(side: Side) -> None:
    ids = [JOB_ID, "job_b", f"{JOB_ID}.1"]
    await fan_out(side, 2)
    for job_id in ids[1:]:
        await side.store.create(creation(a_job(job_id), f"the task of {job_id}"), "m0", NOW_MS)
    found = await side.reader.jobs([*ids, "job_c", f"{JOB_ID}.2", ""])
    assert sorted(found) == sorted(ids)
    for job_id in ids:
        whole = await job_of(side, job_id)
        assert found[job_id] == replace(whole, calls=(), results={}, memory=None)
    assert await side.reader.jobs([]) == {}
