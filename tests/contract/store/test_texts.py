"""Odd and large values: what is stored comes back as it was, and no text is taken for structure."""

import json

import pytest
from msgspec.structs import replace

from baton.core.effects import Changes
from baton.core.state import Failure
from baton_events.errors import StoreError
from baton_events.ids import canonical_json
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    book_of,
    by_key,
    call_leg,
    claim_of,
    creation,
    fan_out,
    first_leg,
    record_of,
    wish_of,
)
from tests.contract.store.side import Side

ODD_TEXTS = [
    "quote \" and ' and \\ and \\\\ and \\/",
    "slash / and \\/ and //",
    '"carrier":"m1"',
    '{"carrier":"m1","group":"job_a:1","job_id":"job_a","reads_history":true}',
    "line\nfeed\r\n\ttab \x00 nul \x1b escape \x7f delete",
    "ümlaut 漢字 🎉 \u202e\u2028\ufeff\ufffe",
    "%s %% $1 {} [[ ]] --",
    " leading and trailing ",
    "",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_an_odd_text_comes_back_as_it_was(side: Side, text: str) -> None:
    """In the task, the session, the job's answer and error, arguments, results, transcript and parts."""
    job = replace(a_job(), session_id=text, tenant=text, best_answer=text, result={text: [text]})
    job = replace(job, error=Failure("type", text))
    record = replace(record_of(call_leg(0)), arguments={text: text}, error=Failure(text, text))
    entry = canonical_json({"text": text})
    await side.store.create(creation(a_job(), text), "m1", NOW_MS)
    changes = Changes(
        job=job,
        legs=(call_leg(0),),
        calls=(record,),
        results={record.id: entry},
        transcript=(entry,),
        parts=(entry,),
    )
    await side.store.commit(claim_of(first_leg()), changes, SPENT)
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert (snapshot.job, snapshot.calls, snapshot.task["text"]) == (job, (record,), text)
    assert snapshot.results == {record.id: {"text": text}}
    assert (await side.reader.parts(JOB_ID, 1)).parts == (entry,)
    begun = await side.store.begin(claim_of(call_leg(0), "m2"))
    assert begun.state is not None
    assert (begun.state.job, begun.state.call) == (job, record)


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_an_odd_text_is_never_taken_for_who_carries_a_leg(side: Side, text: str) -> None:
    """Or for what holds a join back, or for whose leg it is."""
    await side.store.create(creation(replace(a_job(), session_id=text, best_answer=text)), "m1", NOW_MS)
    legs = (call_leg(0), replace(call_leg(1), tool=text))
    await side.store.commit(claim_of(first_leg(), "m2"), Changes(legs=legs), SPENT)
    assert (await side.store.begin(claim_of(first_leg(), "m1"))).carried == ()
    carried = (await side.store.begin(claim_of(first_leg(), "m2"))).carried
    assert by_key(carried) == [replace(leg, carrier="m2", handed_on=True) for leg in legs]


async def test_a_text_that_utf_8_cannot_carry_is_refused_or_kept(side: Side) -> None:
    """A lone surrogate: never replaced by something else, and nothing of a refused write is there."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    entry = '{"text":"\ud800"}'
    try:
        await side.store.commit(claim_of(first_leg()), Changes(transcript=(entry,), parts=(entry,)), SPENT)
    except StoreError:
        assert (await side.store.begin(claim_of(first_leg(), "m2"))).state is not None
        assert (await side.reader.parts(JOB_ID, 1)).parts == ()
    else:
        assert (await side.reader.parts(JOB_ID, 1)).parts == (entry,)


@pytest.mark.parametrize("job_id", ["job_a.b-c_d.1.2-3", "job-.", "a", "-._", "j" * 200])
async def test_ids_with_dots_and_dashes_are_ids_like_others(side: Side, job_id: str) -> None:
    """From creation to the end of a turn, beside a job whose id is a part of it."""
    neighbour = a_job(job_id[:-1] or "b")
    await side.store.create(creation(neighbour), "m0", NOW_MS)
    await side.store.create(creation(a_job(job_id)), "m1", NOW_MS)
    leg = call_leg(0, job_id)
    changes = Changes(legs=(leg,), calls=(record_of(leg),), results={leg.call_id: "{}"}, parts=("p",))
    assert (await side.store.commit(claim_of(first_leg(job_id)), changes, SPENT)).applied
    begun = await side.store.begin(claim_of(leg, "m2"))
    assert begun.state is not None
    assert begun.state.call == record_of(leg)
    snapshot = await side.reader.job(neighbour.id)
    assert snapshot is not None
    assert (snapshot.calls, len(snapshot.legs)) == ((), 1)


async def test_a_result_of_900_kb_is_stored_and_read(side: Side) -> None:
    """Of characters that take three bytes and two escapes each."""
    value = '漢"\\' * (900_000 // 5)
    legs = await fan_out(side, 1)
    text = canonical_json({"ok": value})
    assert len(text.encode()) > 900_000
    await side.store.commit(claim_of(legs[0], "m2"), Changes(results={legs[0].call_id: text}), SPENT)
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.results == {legs[0].call_id: {"ok": value}}


async def test_five_thousand_parts_in_one_commit_keep_their_order(side: Side) -> None:
    """Together with thousands of legs, calls, results and entries: more than Lua's unpack takes at once."""
    count = 5_000
    legs = tuple(call_leg(position) for position in range(count))
    numbers = tuple(str(n) for n in range(count))
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    changes = Changes(
        legs=legs,
        calls=tuple(map(record_of, legs)),
        results={leg.call_id: f'{{"ok":{leg.position}}}' for leg in legs},
        transcript=tuple(f'{{"n":{n}}}' for n in numbers),
        parts=numbers,
    )
    committed = await side.store.commit(claim_of(first_leg()), changes, SPENT)
    assert len(committed.carried) == count
    assert (await side.reader.parts(JOB_ID, 1)).parts == numbers
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [call.position for call in snapshot.calls] == list(range(count))
    assert snapshot.results == {leg.call_id: {"ok": leg.position} for leg in legs}


async def test_a_fan_out_larger_than_lua_can_unpack_ends_in_one_step(side: Side) -> None:
    """Nine thousand open legs go with the job's end; the sweep finds as many."""
    legs = tuple(call_leg(position) for position in range(9_000))
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.commit(claim_of(first_leg()), Changes(legs=legs), SPENT)
    looked = await side.store.look(JOB_ID, "sweep", NOW_MS + 100_000, 60_000, book_of(JOB_ID))
    assert len(looked.lost) == len(legs)
    committed = await side.store.commit(claim_of(legs[0], "m2"), Changes(ends=True), SPENT)
    assert (committed.applied, committed.carried) == (True, (wish_of("none", "m2"),))


async def test_parts_are_json_texts_exactly_as_they_were_written(side: Side) -> None:
    """Spaces and escapes included."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    parts = ('{ "a" : 1.10, "b":"\\u00e9\\/" }', json.dumps({"é": "/"}))
    await side.store.commit(claim_of(first_leg()), Changes(parts=parts), SPENT)
    assert (await side.reader.parts(JOB_ID, 1)).parts == parts
