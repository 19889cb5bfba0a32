"""Odd and large values: what is stored comes back as it was, and no text is taken for structure."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.effects import Changes
from baton.sdk.records import Failure
from baton_events.errors import StoreError
from baton_events.ids import canonical_json
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    call_item,
    claim_of,
    creation,
    first_item,
    job_of,
    record_of,
    slot_request_of,
    state_of,
    table_of,
)
from tests.contract.store.side import Side

ODD_TEXTS = [
    "quote \" and ' and \\ and \\\\ and \\/",
    '"carrier":"m1"',
    '{"carrier":"m1","group":"job_a:1","job_id":"job_a","reads_history":true}',
    "line\nfeed\r\n\ttab \x00 nul \x1b escape \x7f delete",
    "ümlaut 漢字 🎉 \u202e\u2028\ufeff\ufffe",
    " %s %% $1 {} [[ ]] -- ",
    "",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_an_odd_text_comes_back_as_it_was(side: Side, text: str) -> None:
    """In the task, the session, the job's answer and error, arguments, results, transcript and parts.

    It is never taken for the owner of an item, or for what holds a join back, or for whose work item it is.
    """
    job = replace(a_job(), session_id=text, tenant=text, best_answer=text, result={text: [text]})
    job = replace(job, error=Failure("type", text))
    record = replace(record_of(call_item(0)), arguments={text: text}, error=Failure(text, text))
    items, entry = (call_item(0), replace(call_item(1), tool=text)), canonical_json({"text": text})
    told: dict[str, Any] = {"results": {record.id: entry}, "transcript": (entry,), "parts": (entry,)}
    await side.store.create(creation(a_job(), text), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item(), "m2"), Changes(job=job, items=items, calls=(record,), **told), SPENT)
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.calls, snapshot.task["text"]) == (job, (record,), text)
    assert snapshot.results == {record.id: {"text": text}}
    assert (await side.reader.parts(JOB_ID, 1)).parts == (entry,)
    assert (await side.store.claim(claim_of(first_item(), "m1"))).pending == ()
    pending = (await side.store.claim(claim_of(first_item(), "m2"))).pending
    assert by_key(pending) == [replace(item, relay_id="m2", redelivered=True) for item in items]
    state = await state_of(side.store, claim_of(call_item(0), "m2", "o2"))
    assert (state.job, state.call) == (job, record)


async def test_a_text_that_utf_8_cannot_carry_is_refused_or_kept(side: Side) -> None:
    """A lone surrogate: never replaced by something else, and nothing of a refused write is there."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    entry = '{"text":"\ud800"}'
    try:
        await side.store.commit(claim_of(first_item()), Changes(transcript=(entry,), parts=(entry,)), SPENT)
    except StoreError:
        assert (await side.store.claim(claim_of(first_item(), "m2"))).state is not None
        assert (await side.reader.parts(JOB_ID, 1)).parts == ()
    else:
        assert (await side.reader.parts(JOB_ID, 1)).parts == (entry,)


@pytest.mark.parametrize("job_id", ["job_a.b-c_d.1.2-3", "job-.", "a", "-._", "j" * 200])
async def test_ids_with_dots_and_dashes_are_ids_like_others(side: Side, job_id: str) -> None:
    neighbour = a_job(job_id[:-1] or "b")
    await side.store.create(creation(neighbour), "m0", NOW_MS)
    await side.store.create(creation(a_job(job_id)), "m1", NOW_MS)
    item = call_item(0, job_id)
    changes = Changes(items=(item,), calls=(record_of(item),), results={item.call_id: "{}"}, parts=("p",))
    assert (await side.store.commit(claim_of(first_item(job_id)), changes, SPENT)).applied
    assert (await state_of(side.store, claim_of(item, "m2"))).call == record_of(item)
    snapshot = await job_of(side, neighbour.id)
    assert (snapshot.calls, len(snapshot.items)) == ((), 1)


async def test_five_thousand_parts_in_one_commit_keep_their_order(side: Side) -> None:
    """Together with thousands of work items, calls, results and entries: more than Lua's unpack takes at once."""
    count = 5_000
    items = tuple(call_item(position) for position in range(count))
    numbers = tuple(str(n) for n in range(count))
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    changes = Changes(
        items=items,
        calls=tuple(map(record_of, items)),
        results={item.call_id: f'{{"ok":{item.position}}}' for item in items},
        transcript=tuple(f'{{"n":{n}}}' for n in numbers),
        parts=numbers,
    )
    committed = await side.store.commit(claim_of(first_item()), changes, SPENT)
    assert len(committed.pending) == count
    assert (await side.reader.parts(JOB_ID, 1)).parts == numbers
    snapshot = await job_of(side)
    assert [call.position for call in snapshot.calls] == list(range(count))
    assert snapshot.results == {item.call_id: {"ok": item.position} for item in items}


async def test_a_fan_out_larger_than_lua_can_unpack_ends_in_one_step(side: Side) -> None:
    items = tuple(call_item(position) for position in range(9_000))
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(items=items), SPENT)
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    assert len(reconciled.stalled) == len(items)
    committed = await side.store.commit(claim_of(items[0], "m2"), Changes(ends=True), SPENT)
    assert (committed.applied, committed.pending) == (True, (slot_request_of("none", "m2"),))


async def test_parts_are_json_texts_exactly_as_they_were_written(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    parts = ('{ "a" : 1.10, "b":"\\u00e9\\/" }', json.dumps({"é": "/"}))
    await side.store.commit(claim_of(first_item()), Changes(parts=parts), SPENT)
    assert (await side.reader.parts(JOB_ID, 1)).parts == parts
