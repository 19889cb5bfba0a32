"""A job is there once; the first COMMIT of a work item wins, whoever sends it; parts come in mid-work, each once.

The end takes the job's own work items with it, all but its last word to the admission; then its data expires. The work
item that remembers an ended job outlives its end.
"""

import asyncio

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.commit.answers import LEAST_TOMBSTONE_MS, Committed, Created, Verdict
from baton.engine.commit.stored_bytes import written_bytes
from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.state import State, Usage
from baton.engine.step_results import ModelAnswered
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, remember_item
from baton.store.redis.store import Store
from baton.store.transport.meter import Meter, charge, metered
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
    complete_item,
    creation,
    fan_out,
    first_item,
    job_of,
    next_turn,
    record_of,
    slot_request_of,
    table_of,
)
from tests.contract.store.side import RETENTION_MS, Side, connected, several, side_over
from tests.fakes.clock import FakeClock

REQUESTED = Changes(
    job=replace(a_job(), status=JobStatus.PROCESSING),
    items=(call_item(0), call_item(1)),
    calls=(record_of(call_item(0)), record_of(call_item(1))),
    transcript=('{"role":"model"}',),
    parts=('{"type":"one"}', '{"type":"two"}'),
)
CALL, TURN = call_item(0), first_item()
FAILED = following(CALL, ItemKind.FAILED, NOW_MS)
QUESTION = replace(
    following(CALL, ItemKind.WAIT, NOW_MS), key="wait:question:1", call_id="question", approval_of_call=CALL.call_id
)
AGAIN = following(FAILED, ItemKind.CALL, NOW_MS, attempt=2)


async def test_a_new_job_is_guaranteed_by_its_backup_and_is_read_as_it_was_submitted(side: Side) -> None:
    """Its usage begins with what was spent before, and one request."""
    with metered(Meter(FakeClock(NOW_MS), memory_mb=1)):
        charge(messages=1, requests=2)
        created = await side.store.create(creation(a_job()), "m1", NOW_MS, counted_bytes=3)
    items = (replace(first_item(), relay_id="m1"),)
    assert created == Created(new=True, job=a_job(), pending=items)
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.items) == (a_job(), items)
    assert snapshot.task == {"role": "user", "v": 1, "text": "do it", "data": {"a": None}}
    used = replace(snapshot.usage, redis_commands=0, redis_bytes=0, stamp="")
    size_bytes = written_bytes(creation(a_job()))
    assert used == Usage(messages=1, redis_requests=3, updated_ms=NOW_MS, written=size_bytes, counted=3, entries=1)
    assert (await side.reader.parts(JOB_ID, 0)).parts == creation(a_job()).parts


async def test_a_commit_removes_its_item_and_writes_what_follows(side: Side) -> None:
    """The work items that follow are carried by the message that did it."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    committed = await side.store.commit(claim_of(first_item()), REQUESTED)
    assert committed.applied
    assert by_key(committed.pending) == [replace(item, relay_id="m1") for item in REQUESTED.items]
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.calls) == (REQUESTED.job, REQUESTED.calls)
    assert by_key(snapshot.items) == by_key(committed.pending)
    assert (await side.reader.parts(JOB_ID, 1)).parts == REQUESTED.parts


async def test_a_second_commit_changes_nothing_but_learns_what_it_guarantees(side: Side) -> None:
    """Its own message's work items, so that a repeated command, whose reply was lost, can still dispatch."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    first = await side.store.commit(claim_of(first_item()), REQUESTED)
    before = await side.reader.job(JOB_ID), await side.reader.parts(JOB_ID, 0)
    again = await side.store.commit(claim_of(first_item()), REQUESTED)
    assert (again.applied, by_key(again.pending)) == (False, by_key(first.pending))
    other = await side.store.commit(claim_of(first_item(), "m2", "o2"), Changes(parts=("{}",)))
    assert other == Committed(applied=False)
    assert (await side.reader.job(JOB_ID), await side.reader.parts(JOB_ID, 0)) == before


async def test_the_first_commit_wins_whichever_instance_holds_the_claim(side: Side) -> None:
    """Somebody who comes back after the lease may be first; then the claim's holder changes nothing."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
    await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS))
    late = await side.store.commit(claim_of(first_item(), "m1", "o1", after_ms=LEASE_MS + 1), REQUESTED)
    assert late.applied
    overtaken = await side.store.commit(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 2), REQUESTED)
    assert overtaken == Committed(applied=False)
    assert (await side.store.claim(claim_of(call_item(0), "m3", "o3"))).verdict is Verdict.GRANTED


async def test_a_commit_that_adds_its_own_item_again_leaves_a_free_one(side: Side) -> None:
    """The claim is gone; the message carries it, once."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    committed = await side.store.commit(claim_of(first_item()), Changes(items=(first_item(),)))
    assert committed.pending == (replace(first_item(), relay_id="m1"),)


@pytest.mark.parametrize(
    ("item", "follows", "deaths"),
    [
        (CALL, FAILED, (0, 2)),
        (CALL, QUESTION, (0, 2)),
        (CALL, AGAIN, (0, 2)),
        (CALL, replace(AGAIN, died=3), (0, 3)),
        (CALL, call_item(1), (0, 0)),
        (TURN, loop_item(JOB_ID, 1, 2, NOW_MS), (2, 0)),
        (TURN, loop_item(JOB_ID, 2, 1, NOW_MS), (0, 0)),
        (TURN, call_item(1), (0, 0)),
    ],
)
async def test_what_goes_on_with_a_step_has_the_deaths_of_which_an_overtaken_owner_knows_nothing(
    side: Side, item: WorkItem, follows: WorkItem, deaths: tuple[int, int]
) -> None:
    """Else a call that kills its process is started more often than it may be: what takes it over counts."""
    await (fan_out(side, 1) if item is CALL else side.store.create(creation(a_job()), "witness", NOW_MS))
    for number in range(3):
        owner = claim_of(item, f"m{number}", f"o{number}", after_ms=number * LEASE_MS)
        assert (await side.store.claim(owner)).verdict is Verdict.GRANTED
    late = claim_of(item, "m0", "o0", after_ms=2 * LEASE_MS + 1)
    assert (await side.store.commit(late, Changes(items=(follows,)))).applied
    (found,) = (await job_of(side)).items
    assert (found.key, found.abandoned, found.died) == (follows.key, *deaths)


async def test_a_turn_that_a_sweep_has_replayed_since_it_was_claimed_counts_while_nobody_else_claims_it(
    side: Side,
) -> None:
    """A sweep marks what it replays; that is no other turn."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
    replayed = replace(claim_of(first_item(), "m1", "o1"), since_ms=first_item().since_ms - 1)
    assert (await side.store.commit(replayed, REQUESTED)).applied is True


async def test_a_call_that_runs_again_is_another_one_for_whoever_held_it(side: Side) -> None:
    """The first COMMIT of a run counts, though the work item has the same key afterwards."""
    await fan_out(side, 1)
    for owner, after_ms in (("o1", 0), ("o2", LEASE_MS)):
        answer = await side.store.claim(claim_of(CALL, owner, owner, after_ms=after_ms))
        assert answer.verdict is Verdict.GRANTED
    again = Changes(items=(replace(CALL, offloaded=1),))
    first, late = (claim_of(CALL, owner, owner, after_ms=LEASE_MS + 1) for owner in ("o2", "o1"))
    assert (await side.store.commit(first, again)).applied
    assert not (await side.store.commit(late, again)).applied
    assert (await side.store.claim(claim_of(CALL, "m3", "o3", after_ms=LEASE_MS + 2))).verdict is Verdict.GRANTED
    assert (await side.store.commit(replace(claim_of(CALL, "m3", "o3"), looks=1), Changes())).applied


async def race(side: Side, one: Store | None = None, two: Store | None = None) -> None:
    """Two rivals begin and commit each of many work items, side by side: one gets each, and one commits it."""
    rivals = (one or side.store, two or side.store)
    items = await fan_out(side, 60)
    for item in items:
        claims = [claim_of(item, f"m{n}", f"o{n}") for n in (1, 2)]
        found = await asyncio.gather(*(store.claim(claim) for store, claim in zip(rivals, claims, strict=True)))
        assert sorted(each.verdict for each in found) == [Verdict.BUSY, Verdict.GRANTED]
        commits = [s.commit(claim, Changes(parts=(item.key,))) for s, claim in zip(rivals, claims, strict=True)]
        assert sorted(done.applied for done in await asyncio.gather(*commits)) == [False, True]
    assert (await side.reader.parts(JOB_ID, 1)).parts == tuple(item.key for item in items)


async def test_of_two_rivals_in_one_process_one_gets_each_item_and_one_commits_it(side: Side) -> None:
    await race(side)


async def test_of_two_processes_one_gets_each_item_and_one_commits_it(real: Side, redis_process: RedisProcess) -> None:
    async with several(redis_process, 2, OneSlot) as (one, two):
        await race(real, Store(one, RETENTION_MS), Store(two, RETENTION_MS))


async def test_the_one_that_commits_first_among_many_wins(side: Side) -> None:
    """Ten takers of one work item whose leases have all run out."""
    [item] = await fan_out(side, 1)
    claims = [claim_of(item, f"m{n}", f"o{n}", after_ms=n * LEASE_MS) for n in range(10)]
    for claim in claims:
        assert (await side.store.claim(claim)).verdict is Verdict.GRANTED
    done = await asyncio.gather(*(side.store.commit(claim, Changes(parts=(claim.owner,))) for claim in claims))
    winners = [claim.owner for claim, committed in zip(claims, done, strict=True) if committed.applied]
    parts = (await side.reader.parts(JOB_ID, 1)).parts
    assert [part for part in parts if "data-lost" not in part] == winners
    assert len(winners) == 1


async def test_each_owner_appends_in_order_and_counts_from_one(side: Side) -> None:
    """The sequence counts the appends under one claim: what a crashed attempt said swallows nothing of the next."""
    items = await fan_out(side, 1)
    old, new = claim_of(items[0], "m2", "o2"), claim_of(items[0], "m3", "o3", after_ms=LEASE_MS)
    await side.store.claim(old)
    assert await side.store.append(old, 1, ['{"n":1}', '{"n":2}'])
    assert await side.store.append(old, 2, ['{"n":3}'])
    await side.store.claim(new)
    assert await side.store.append(new, 1, ['{"new":1}'])
    parts = [part for part in (await side.reader.parts(JOB_ID, 1)).parts if "data-lost" not in part]
    assert parts == ['{"n":1}', '{"n":2}', '{"n":3}', '{"new":1}']


@pytest.mark.bridge
async def test_a_long_stream_loses_its_oldest_parts_and_no_number(redis_process: RedisProcess) -> None:
    """Of some thousand bytes at a time, as servers trim."""
    async with connected(redis_process, OneSlot) as connection:
        side = side_over(connection, Store(connection, RETENTION_MS, stream_length=10))
        claim = claim_of((await fan_out(side, 1))[0], "m2", "o2")
        await side.store.claim(claim)
        for number in range(1, 101):
            assert await side.store.append(claim, number, [f'"{number:0100}"', '"beside"'])
        found = await side.reader.parts(JOB_ID, 0)
    assert (found.parts[0], found.first + len(found.parts)) == (f'"{found.first // 2:0100}"', 202)
    assert found.first > 100, "the job's first part, and most of the others, are gone"


async def test_a_message_that_the_queue_gave_up_on_counts_once_for_each_callback(side: Side) -> None:
    """However often that comes; `b1` is not `cb1`."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    counts = []
    for callback in ("cb1", "cb1", "cb2", "cb1", "cb2", "b1", "1"):
        found = await side.store.undelivered(claim_of(first_item(), callback), "m1")
        assert found.state is not None
        counts.append(found.state.item.undelivered)
    assert counts == [1, 1, 2, 2, 2, 3, 4]


CHILD_ID = f"{JOB_ID}.1"
ENDED = replace(a_job(), status=JobStatus.FAILED, finished_at_ms=NOW_MS)
GONE = slot_request_of("gone", "m3")
END = Changes(job=ENDED, parts=('{"type":"finish"}',), ends=True)


def expiry_ms(process: RedisProcess) -> dict[str, int]:
    """Every key of the server, and in how many milliseconds it goes; -1: never."""
    return {key: process.request("PTTL", key) for key in process.request("KEYS", "*")}


async def test_the_end_takes_all_items_of_the_job(side: Side) -> None:
    """Claimed ones, too; whoever comes later finds nothing to do and carries nothing."""
    items = await fan_out(side, 3)
    for claim in (claim_of(items[0], "m3"), claim_of(items[1], "m2", "o2")):
        await side.store.claim(claim)
    assert await side.store.commit(claim_of(items[0], "m3"), END) == Committed(True, (GONE,))
    snapshot = await job_of(side)
    assert (snapshot.job, snapshot.items) == (ENDED, (GONE,))
    assert (await side.store.claim(claim_of(items[1], "m2", "o2"))).verdict is Verdict.APPLIED
    assert await side.store.commit(claim_of(items[1], "m2", "o2"), Changes()) == Committed(applied=False)
    assert not await side.store.append(claim_of(items[1], "m2", "o2"), 1, ["{}"])


async def test_a_parent_ends_without_touching_a_stranger_whose_id_begins_like_its_own(side: Side) -> None:
    await side.store.create(creation(a_job(CHILD_ID)), "m1", NOW_MS)
    await side.store.create(creation(a_job(f"{CHILD_ID}1")), "m2", NOW_MS)
    end = replace(END, job=replace(ENDED, id=CHILD_ID))
    await side.store.commit(claim_of(first_item(CHILD_ID), "m1"), end)
    assert (await side.store.claim(claim_of(first_item(f"{CHILD_ID}1"), "m2"))).verdict is Verdict.GRANTED


async def test_nothing_of_a_live_job_expires(real: Side, redis_process: RedisProcess) -> None:
    items = await fan_out(real, 2)
    changes = Changes(items=(complete_item(0),), results={items[0].call_id: '{"ok":1}'}, parts=("{}",))
    await real.store.commit(claim_of(items[0], "m2"), changes)
    await real.store.append(claim_of(items[1], "m3"), 1, ["{}"])
    await real.store.undelivered(claim_of(items[1], "m4"), "m1")
    await real.store.reconcile(JOB_ID, "m5", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    found = expiry_ms(redis_process)
    assert len(found) == 3
    assert set(found.values()) == {-1}


async def test_every_key_of_an_ended_job_expires(real: Side, redis_process: RedisProcess) -> None:
    """After the retention time, counted from the end; what is left then after as long again."""
    items = await fan_out(real, 2)
    await real.store.commit(claim_of(items[0], "m2"), Changes(results={items[0].call_id: "{}"}))
    await real.store.commit(claim_of(items[1], "m3"), END)
    found = expiry_ms(redis_process)
    tombstone_ms = found.pop(f"baton:{{{JOB_ID}}}:tombstone")
    assert 0 <= RETENTION_MS + LEAST_TOMBSTONE_MS - tombstone_ms < 60_000
    assert len(found) == 3
    assert all(RETENTION_MS - 60_000 < left_ms <= RETENTION_MS for left_ms in found.values()), found


async def test_what_comes_after_the_end_leaves_no_key_that_stays(real: Side, redis_process: RedisProcess) -> None:
    await real.store.create(creation(a_job()), "witness", NOW_MS)
    await real.store.commit(claim_of(first_item(), "m1"), END)
    before = set(expiry_ms(redis_process))
    late = Changes(items=(call_item(0),), calls=(record_of(call_item(0)),), results={"a": "{}"}, parts=("{}",))
    await real.store.claim(claim_of(first_item(), "m2"))
    await real.store.commit(claim_of(first_item(), "m2"), replace(late, join=next_turn()))
    await real.store.create(creation(a_job()), "witness2", NOW_MS)
    await real.store.undelivered(claim_of(first_item(), "m4"), "m1")
    await real.store.append(claim_of(first_item()), 1, ["{}"])
    await real.store.reconcile(JOB_ID, "m5", NOW_MS + 100_000, 60_000, table_of(JOB_ID))
    found = expiry_ms(redis_process)
    assert set(found) == before
    assert all(left_ms > 0 for left_ms in found.values()), found


REMEMBER = remember_item(JOB_ID, 1, 1, NOW_MS)


async def answered(side: Side) -> tuple[WorkItem, ...]:
    """A job that remembers has answered; what its last message carries."""
    job = replace(a_job(), remembers=True)
    await side.store.create(creation(job), "witness", NOW_MS)
    changes = decide(State(job, first_item()), ModelAnswered("done"), NOW_MS).changes
    assert changes is not None
    committed = await side.store.commit(claim_of(first_item(), "m1"), changes)
    assert committed.applied
    return committed.pending


async def test_the_item_that_remembers_outlives_its_job_s_end(side: Side) -> None:
    """With the last slot request; it needs no slot, and its claim has the job's task and nothing more."""
    pending = await answered(side)
    assert [item.kind for item in pending] == [ItemKind.REMEMBER, ItemKind.SLOT_REQUEST]
    snapshot = await job_of(side)
    assert (by_key(snapshot.items), snapshot.job.remembers) == (by_key(pending), True)
    claim_result = await side.store.claim(claim_of(REMEMBER, "m2", "o2"))
    assert claim_result.verdict is Verdict.GRANTED
    assert [entry["text"] for entry in claim_result.history.transcript] == ["do it"]
    assert claim_result.history.results == {}
    assert claim_result.state is not None
    assert claim_result.state.job.result == {"answer": "done"}
    assert (await side.store.claim(claim_of(REMEMBER, "m3", "o3"))).verdict is Verdict.BUSY


async def test_the_sweep_replays_it_and_keeps_the_job_in_the_slot_table_until_then(side: Side) -> None:
    """Else nobody would look for it any more."""
    pending = await answered(side)
    [slot_request] = [item for item in pending if item.kind is ItemKind.SLOT_REQUEST]
    slot_answer = claim_of(slot_request, "m2", "o2")
    await side.store.claim(slot_answer)
    await side.store.commit(slot_answer, Changes(admitted=True))
    slot_table = {JOB_ID: QueueEntry("tenant_a", "session_a", 5, NOW_MS, epoch=slot_request.attempt, want="gone")}
    later_ms = NOW_MS + LEASE_MS
    found = await side.store.reconcile(JOB_ID, "sweep", later_ms, 60_000, slot_table)
    assert ([item.key for item in found.stalled], found.ended) == ([REMEMBER.key], ())
    claim = claim_of(REMEMBER, "sweep", "o3", after_ms=LEASE_MS)
    await side.store.claim(claim)
    await side.store.commit(claim, Changes())
    found = await side.store.reconcile(JOB_ID, "sweep2", later_ms, 60_000, slot_table)
    assert (found.stalled, found.ended) == ((), (JOB_ID,))
