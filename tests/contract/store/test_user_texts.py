"""What users write may read like a record, or like a mark of ours: the store takes it for what it is."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Signal, SignalResult, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, following, loop_item
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
)
from tests.contract.store.side import Side

CHILD = f"{JOB_ID}.aaaaaaaaaa"
NAMES = ["bill 0", f'"job_id":"{JOB_ID}"', '"kind":"loop"', '"relay_id":"m1"', "#", "sealed:k1:x", "漢\x00"]


@pytest.mark.parametrize("named", [JOB_ID, CHILD])
async def test_an_answer_may_name_a_job_as_a_work_item_does(side: Side, named: str) -> None:
    """In a tree of several jobs, whose work items are counted by their texts."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.create(creation(a_job(CHILD)), "m2", NOW_MS)
    answer: dict[str, Any] = {"answer": "", "output": {"job_id": named}}
    again = Changes(job=replace(a_job(CHILD), best_answer=answer), items=(loop_item(CHILD, 2, 1, NOW_MS),))
    assert (await side.store.commit(claim_of(first_item(CHILD), "m2"), again)).applied
    assert (await side.store.claim(claim_of(loop_item(CHILD, 2, 1, NOW_MS), "m3"))).verdict is Verdict.GRANTED
    for job_id, message in ((CHILD, "m4"), (JOB_ID, "m5")):
        loaded = await loaded_of(side, job_id)
        done = replace(loaded.job, status=JobStatus.COMPLETED, result=answer)
        assert (await side.store.record(loaded, message, Changes(job=done, ends=True), NOW_MS + 5))[0] == "committed"


@pytest.mark.parametrize("name", NAMES)
async def test_an_event_may_have_any_name(side: Side, name: str) -> None:
    """It is kept under it, and the wait that comes later takes it."""
    (call,) = await fan_out(side, 1)
    told = await side.store.signal(JOB_ID, "w1", Signal("evt_1", '{"ok":1}', event=name), NOW_MS)
    assert told.signal_result is SignalResult.FIRST
    assert (await job_of(side)).usage.written
    wait = replace(following(call, ItemKind.WAIT, NOW_MS, not_before_ms=NOW_MS + 9_000), event=name)
    assert (await side.store.commit(claim_of(call, "m2"), Changes(items=(wait,)))).applied
    claimed = await side.store.claim(claim_of(wait, "m2", after_ms=1))
    assert claimed.state is not None
    assert (claimed.state.outcome, claimed.state.item.call_id) == ('{"ok":1}', call_item(0).call_id)
