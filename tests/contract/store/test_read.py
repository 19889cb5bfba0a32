"""What is stored is read as it was: jobs, parts and texts, odd and large ones, and such as are appended in mid-work.

No answer grows beyond its limit with what a turn, or a step of a plan, would be told.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace as replace_fields
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.commit.answers import Claim, ClaimResult, Recorded, Signal, SignalResult, Verdict
from baton.engine.effects import Changes, TextStream
from baton.engine.lifecycle import cancelled
from baton.engine.outbox import Continuation
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, following, loop_item, tool_key
from baton.sdk.clock import SystemClock
from baton.sdk.records.transcript import Failure
from baton.store.records.jobs import StoredParts
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import pieces
from baton.store.redis.store import Store
from baton.store.transport.meter import Meter, metered
from baton.store.transport.redis_rest import answer_bytes
from baton_events.errors import StoreAnswerError, StoreError
from baton_events.ids import canonical_json
from baton_events.schema import Cancellation
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    by_key,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    leases_of,
    loaded_of,
    next_turn,
    record_of,
    slot_request_of,
    state_of,
    table_of,
)
from tests.contract.store.side import RETENTION_MS, Side, connected, side_over


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
    await side.store.commit(claim_of(first_item()), Changes(calls=records))
    snapshot = await job_of(side)
    assert [(call.turn, call.position) for call in snapshot.calls] == sorted(places)


async def test_entries_come_in_the_order_in_which_they_were_added(side: Side) -> None:
    await side.store.create(replace(creation(a_job()), transcript=('{"n":1}',)), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(transcript=('{"n":2}', '{"n":3}')))
    assert await side.reader.transcript(JOB_ID) == ({"n": 1}, {"n": 2}, {"n": 3})


async def test_items_come_by_key_and_belong_to_the_job(side: Side) -> None:
    await side.store.create(creation(a_job(f"{JOB_ID}.1")), "m0", NOW_MS)
    items = await fan_out(side, 11)
    snapshot = await job_of(side)
    assert [item.key for item in snapshot.items] == sorted(tool_key(item.kind, item.call_id, 1) for item in items)


@pytest.mark.parametrize(("after", "expected"), [(0, "abcd"), (1, "bcd"), (3, "d"), (4, ""), (99, ""), (-1, "d")])
async def test_parts_come_from_a_position_on(side: Side, after: int, expected: str) -> None:
    """`after` is how many the reader has; -1 is the last one alone."""
    new = a_job()
    job = replace(new, status=JobStatus.PROCESSING)
    await side.store.create(replace(creation(new), parts=("a", "b")), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(job=job, parts=("c", "d")))
    found = StoredParts(job, tuple(expected), max(0, after) + 1)
    assert (await side.reader.parts(JOB_ID, after), await side.reader.parts(JOB_ID, after, job)) == (found, found)
    assert await side.reader.parts_after(job, after) == found.parts


@pytest.mark.parametrize("more", [(), ("a",), ("a", "b")])
async def test_the_first_part_is_stored_nowhere_and_has_its_place_in_the_stream(
    side: Side, more: tuple[str, ...]
) -> None:
    """It follows from the job's id, so a submission that says no more writes no stream."""
    new = creation(a_job())
    await side.store.create(replace(new, parts=(*new.parts, *more)), "m1", NOW_MS)
    shown = (stream_parts.start(JOB_ID), *more)
    for later in ((), ("c", "d")):
        if later:
            assert (await side.store.commit(claim_of(first_item()), Changes(parts=later))).applied
        shown += later
        for after in range(len(shown) + 2):
            found = await side.reader.parts(JOB_ID, after)
            assert (found.parts, found.first) == (shown[after:], after + 1)
            assert await side.reader.parts_after(a_job(), after) == shown[after:]
        for last in range(1, len(shown) + 2):
            assert (await side.reader.parts(JOB_ID, -last)).parts == shown[-last:]


async def test_no_part_is_made_for_a_job_that_is_gone_by_now(side: Side) -> None:
    assert await side.reader.parts(JOB_ID, 0, a_job()) == StoredParts(None)


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
        assert found[job_id] == replace_fields(await job_of(side, job_id), calls=(), results={}, memory=None)
    assert await side.reader.jobs([]) == {}


ODD_TEXTS = [
    "quote \" and ' and \\ and \\\\ and \\/",
    '"relay_id":"m1"',
    '{"relay_id":"m1","group":"job_a:1","job_id":"job_a","reads_history":true}',
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
    await side.store.commit(claim_of(first_item(), "m2"), Changes(job=job, items=items, calls=(record,), **told))
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
        await side.store.commit(claim_of(first_item()), Changes(transcript=(entry,), parts=(entry,)))
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
    assert (await side.store.commit(claim_of(first_item(job_id)), changes)).applied
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
    committed = await side.store.commit(claim_of(first_item()), changes)
    assert len(committed.pending) == count
    assert (await side.reader.parts(JOB_ID, 1)).parts == numbers
    snapshot = await job_of(side)
    assert [call.position for call in snapshot.calls] == list(range(count))
    assert snapshot.results == {item.call_id: {"ok": item.position} for item in items}


async def test_a_fan_out_larger_than_lua_can_unpack_ends_in_one_step(side: Side) -> None:
    items = tuple(call_item(position) for position in range(9_000))
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item()), Changes(items=items))
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    assert len(reconciled.stalled) == len(items)
    committed = await side.store.commit(claim_of(items[0], "m2"), Changes(ends=True))
    assert (committed.applied, committed.pending) == (True, (slot_request_of("none", "m2"),))


async def test_parts_are_json_texts_exactly_as_they_were_written(side: Side) -> None:
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    parts = ('{ "a" : 1.10, "b":"\\u00e9\\/" }', json.dumps({"é": "/"}))
    await side.store.commit(claim_of(first_item()), Changes(parts=parts))
    assert (await side.reader.parts(JOB_ID, 1)).parts == parts


ID = "text-1-1-x.1"
NEXT = Changes(items=(loop_item(JOB_ID, 2, 1, NOW_MS),), parts=('{"type":"after"}',))
ABANDONED = ["text-end", "data-retry", "finish-step"]


TEXT_STREAM = TextStream(ID, 2, ('{"type":"rest"}',), ('{"type":"anew"}',))  # how a COMMIT goes on with it


async def talking(side: Side, owner: str = "o1") -> Claim:
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim = claim_of(first_item(), "m1", owner)
    await side.store.claim(claim)
    assert await side.store.append(claim, 1, [stream_parts.text_start(ID), stream_parts.text_delta(ID, "a")], ID)
    assert await side.store.append(claim, 2, [stream_parts.text_delta(ID, "b")], ID)
    return claim


async def types(side: Side) -> list[str]:
    """The kinds of the parts behind the job's first and those of the two batches."""
    return [json.loads(part)["type"] for part in (await side.reader.parts(JOB_ID, 4)).parts]


async def test_the_owner_s_commit_goes_on_with_the_text(side: Side) -> None:
    claim = await talking(side)
    assert (await side.store.commit(claim, replace(NEXT, text_stream=TEXT_STREAM))).applied
    assert await types(side) == ["rest", "after"]


async def test_who_lost_the_item_and_commits_first_streams_all_anew(side: Side) -> None:
    """The first COMMIT wins, whoever sends it; the text of who holds the work item is closed."""
    early = await talking(side)
    later = claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 1)
    await side.store.claim(later)
    assert await side.store.append(later, 1, [stream_parts.text_start("text-1-1-y.1")], "text-1-1-y.1")
    assert (await side.store.commit(early, replace(NEXT, text_stream=TEXT_STREAM))).applied
    assert await types(side) == [*ABANDONED, "data-lost", "text-start", *ABANDONED, "anew", "after"]
    assert not await side.store.append(later, 2, ["{}"], "text-1-1-y.1")


async def test_a_cancellation_closes_the_text_before_the_end(side: Side) -> None:
    """So does any other end."""
    await talking(side)
    loaded = await loaded_of(side)
    changes = cancelled(loaded.job, Cancellation(), NOW_MS).changes
    assert changes is not None
    recorded, _ = await side.store.record(loaded, "m9", changes, NOW_MS)
    assert recorded is Recorded.COMMITTED
    assert await types(side) == [*ABANDONED, "data-lost", "abort", "finish"]


async def test_a_text_that_lost_what_came_before_goes_on_no_more(side: Side) -> None:
    """A failover forgot a batch: the rest of the text would stand alone."""
    claim = await talking(side)
    assert not await side.store.append(claim, 4, [stream_parts.text_delta(ID, "d")], ID)
    assert await side.store.append(claim, 2, [stream_parts.text_delta(ID, "b")], ID)
    assert await types(side) == []


ANSWER_LIMIT_BYTES = 10_000_000
LIMIT_BYTES = 20_000
SECOND = loop_item(JOB_ID, 2, 1, NOW_MS)


class Weighed(OneSlot):
    largest_bytes = 0

    async def _send(self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False) -> list[Any]:
        answers = await super()._send(commands, beside_scripts=beside_scripts)
        self.largest_bytes = max(self.largest_bytes, answer_bytes(answers))
        return answers


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[Weighed]:
    async with connected(redis_process, Weighed) as made:
        yield made


def store_on(connection: RedisConnection) -> Store:
    return Store(connection, RETENTION_MS, prompt_limit_bytes=LIMIT_BYTES)


async def fan(store: Store, *results: str) -> None:
    """A job whose first turn asks for a call for each of these texts, which return them: its next turn is due."""
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    items = [call_item(at) for at in range(len(results))]
    await store.commit(claim_of(first_item()), Changes(items=tuple(items), calls=tuple(map(record_of, items))))
    for item, text in zip(items, results, strict=True):
        ends = Changes(results={item.call_id: json.dumps({"ok": text})}, join=next_turn())
        await store.commit(claim_of(item), ends)


async def begun_with_bytes(store: Store) -> tuple[ClaimResult, int]:
    """The second turn, and how many bytes went to and from the store."""
    meter = Meter(SystemClock(), 0)
    with metered(meter):
        claim_result = await store.claim(claim_of(SECOND))
    return claim_result, meter.rest().size_bytes


async def test_twelve_results_of_nearly_a_megabyte_are_no_answer_beyond_the_limit(connection: RedisConnection) -> None:
    """Another process is told how much it would be, and nothing of it; so often it may ask."""
    await fan(Store(connection, RETENTION_MS), *("x" * 900_000 for _ in range(12)))
    for _ in range(2):
        claim_result, size_bytes = await begun_with_bytes(Store(connection, RETENTION_MS))
        assert size_bytes < ANSWER_LIMIT_BYTES
        assert claim_result.history.size_bytes > ANSWER_LIMIT_BYTES
        assert (claim_result.history.transcript, claim_result.history.results) == ((), {})


async def test_who_has_seen_all_results_counts_them_too(connection: RedisConnection) -> None:
    store = store_on(connection)
    await fan(store, "x" * LIMIT_BYTES)
    warm = await store.claim(claim_of(SECOND))
    cold = await store_on(connection).claim(claim_of(SECOND))
    assert cold.history.size_bytes > LIMIT_BYTES
    assert warm.history.size_bytes == pytest.approx(cold.history.size_bytes, rel=0.1)


async def test_calls_whose_names_alone_are_too_much_are_no_empty_history(connection: RedisConnection) -> None:
    store = Store(connection, RETENTION_MS, prompt_limit_bytes=200)
    await fan(Store(connection, RETENTION_MS), *("x" for _ in range(20)))
    history = (await store.claim(claim_of(SECOND))).history
    assert (history.size_bytes > 200, history.transcript, history.results) == (True, (), {})


async def test_what_is_small_enough_is_loaded_with_its_size(connection: RedisConnection) -> None:
    text = "x" * (LIMIT_BYTES // 2)
    await fan(store_on(connection), text)
    history = (await store_on(connection).claim(claim_of(SECOND))).history
    assert history.results == {call_item(0).call_id: {"ok": text}}
    assert len(text) < history.size_bytes < LIMIT_BYTES


async def test_what_takes_two_bytes_in_an_answer_counts_twice(connection: RedisConnection) -> None:
    """As JSON in JSON, a quotation mark of a text is four characters."""
    await fan(store_on(connection), '"' * (LIMIT_BYTES // 3))
    history = (await store_on(connection).claim(claim_of(SECOND))).history
    assert (history.size_bytes > LIMIT_BYTES, history.results) == (True, {})


async def test_a_process_that_knows_nothing_loads_no_compacted_past(connection: RedisConnection) -> None:
    """Neither its entries nor the results of its calls."""
    store = store_on(connection)
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    said = tuple(f'{{"calls":[{{"id":"c{n}","tool":"t"}}],"role":"model","turn":{n}}}' for n in range(1, 6))
    results = {f"c{n}": f'{{"ok":{n}}}' for n in range(1, 6)}
    turn = Changes(job=replace(a_job(), compacted=(1, 4)), items=(SECOND,), transcript=said, results=results)
    await store.commit(claim_of(first_item()), turn)
    history = (await store_on(connection).claim(claim_of(SECOND))).history
    assert [entry.get("turn") for entry in history.transcript] == [None, 4, 5]
    assert (history.results, history.compacted) == ({"c4": {"ok": 4}, "c5": {"ok": 5}}, (1, 4))


async def test_steps_with_much_to_load_are_not_all_loaded_at_once(connection: Weighed) -> None:
    """Each refers to one large result: what one answer has no room for comes in others."""
    store = store_on(connection)
    first, *steps = (replace(call_item(at), step=f"s{at}", after=call_item(0).call_id if at else "") for at in range(5))
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    turn = Changes(items=(first, *steps), calls=tuple(map(record_of, (first, *steps))))
    await store.commit(claim_of(first_item()), turn)
    await store.claim(claim_of(first))
    large = Changes(results={first.call_id: json.dumps({"ok": "x" * (LIMIT_BYTES * 2 // 5)})})
    room = Continuation("o1.1", leases_of(frozenset(ItemKind)), 9)
    done = await store.commit(claim_of(first), large, room)
    assert [each.state.item.step for each in done.claimed if each.state] == ["s1", "s2", "s3", "s4"]
    assert all(claim_result.history.results.keys() == {first.call_id} for claim_result in done.claimed)
    assert connection.largest_bytes < 1.1 * LIMIT_BYTES
    again = await store_on(connection).claim(claim_of(steps[2], "m2", "o2", after_ms=2 * LEASE_MS))
    assert again.history.results.keys() == {first.call_id}


async def test_turns_that_begin_together_each_get_the_history(connection: Weighed) -> None:
    """What one answer has no room for comes in others; a model that is told nothing would begin anew."""
    store, jobs = store_on(connection), [a_job(name) for name in (JOB_ID, f"{JOB_ID}.1", f"{JOB_ID}.2")]
    for job in jobs:
        await store.create(creation(job, "x" * (LIMIT_BYTES * 3 // 5)), f"m-{job.id}", NOW_MS)
    cold = store_on(connection)
    claim_result = await asyncio.gather(*(cold.claim(claim_of(first_item(job.id), f"m-{job.id}")) for job in jobs))
    assert [each.verdict for each in claim_result] == [Verdict.GRANTED] * 3
    assert [len(each.history.transcript) for each in claim_result] == [1] * 3
    assert connection.largest_bytes < 1.1 * LIMIT_BYTES


class Narrow(RedisConnection):
    """A store as the hosted one: it answers no more than so much at once."""

    async def pipeline(self, *commands: Sequence[str | int]) -> list[Any]:
        answers = await super().pipeline(*commands)
        _within(answers)
        return answers

    async def execute(self, *command: str | int) -> Any:
        return _within(await super().execute(*command))


def _within(answer: Any) -> Any:
    size_bytes = len(json.dumps(answer))
    if size_bytes > ANSWER_LIMIT_BYTES:
        raise StoreAnswerError(f"an answer of {size_bytes} bytes")
    return answer


async def test_a_job_with_twelve_results_of_nearly_a_megabyte_is_read(redis_process: RedisProcess) -> None:
    async with connected(redis_process, Narrow) as connection:
        side = side_over(connection)
        items = await fan_out(side, 12)
        for item in items:
            text = json.dumps({"ok": f"{item.position}" * 900_000})
            assert (await side.store.commit(claim_of(item, "m"), Changes(results={item.call_id: text}))).applied
        found = await job_of(side)
    sizes = {call_id: len(result["ok"]) for call_id, result in found.results.items()}
    assert sizes == {item.call_id: 900_000 * len(str(item.position)) for item in items}
    assert [call.id for call in found.calls] == [item.call_id for item in items]


def test_pieces_are_together_no_more_than_so_much() -> None:
    sized = [("a", 4), ("b", 6), ("c", 1), ("d", 20), ("e", 2), ("f", 8)]
    assert list(pieces(sized, 10)) == [["a", "b"], ["c"], ["d"], ["e", "f"]]


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
