"""COMMIT: the first one of a work item wins, whoever sends it; any other changes nothing."""

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Verdict
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.state import Usage
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    call_item,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    record_of,
    slot_request_of,
)
from tests.contract.store.side import Side

ASKED = Changes(
    job=replace(a_job(), status=JobStatus.PROCESSING),
    items=(call_item(0), call_item(1)),
    calls=(record_of(call_item(0)), record_of(call_item(1))),
    transcript=('{"role":"model"}',),
    parts=('{"type":"one"}', '{"type":"two"}'),
)


async def test_a_commit_removes_its_item_and_writes_what_follows(side: Side) -> None:
    """The work items that follow are carried by the message that did it."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item()))
    committed = await side.store.commit(claim_of(first_item()), ASKED, SPENT)
    assert committed.applied
    assert by_key(committed.pending) == [replace(item, relay_id="m1") for item in ASKED.items]
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert (snapshot.job, snapshot.calls) == (ASKED.job, ASKED.calls)
    assert by_key(snapshot.items) == by_key(committed.pending)
    assert (await side.reader.parts(JOB_ID, 1)).parts == ASKED.parts


async def test_the_items_that_follow_are_dispatched_in_the_order_of_their_keys(side: Side) -> None:
    """Eleven calls, so that the order of keys is not that of positions; CLAIM of a repeated message says the same."""
    items = tuple(call_item(position) for position in range(11))
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    committed = await side.store.commit(claim_of(first_item()), Changes(items=items), SPENT)
    again = await side.store.claim(claim_of(first_item()))
    assert [item.key for item in committed.pending] == [item.key for item in again.pending]
    assert list(again.pending) == by_key(again.pending)


async def test_a_second_commit_changes_nothing_but_learns_what_it_carries(side: Side) -> None:
    """Its own message's work items, so that a repeated command, whose reply was lost, can still dispatch."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    first = await side.store.commit(claim_of(first_item()), ASKED, SPENT)
    before = await side.reader.job(JOB_ID), await side.reader.parts(JOB_ID, 0)
    again = await side.store.commit(claim_of(first_item()), ASKED, SPENT)
    assert (again.applied, by_key(again.pending)) == (False, by_key(first.pending))
    other = await side.store.commit(claim_of(first_item(), "m2", "o2"), Changes(parts=("{}",)), SPENT)
    assert other == Committed(applied=False)
    assert (await side.reader.job(JOB_ID), await side.reader.parts(JOB_ID, 0)) == before


async def test_the_first_commit_wins_whoever_holds_the_claim(side: Side) -> None:
    """Somebody who comes back after the lease may be first; then the claim's holder changes nothing."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
    await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS))
    late = await side.store.commit(claim_of(first_item(), "m1", "o1", after_ms=LEASE_MS + 1), ASKED, SPENT)
    assert late.applied
    overtaken = await side.store.commit(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 2), ASKED, SPENT)
    assert overtaken == Committed(applied=False)
    claim_result = await side.store.claim(claim_of(call_item(0), "m3", "o3"))
    assert claim_result.verdict is Verdict.GRANTED


CALL, TURN = call_item(0), first_item()
FAILED = following(CALL, ItemKind.FAILED, NOW_MS)
QUESTION = replace(
    following(CALL, ItemKind.WAIT, NOW_MS), key="wait:question:1", call_id="question", approval_of_call=CALL.call_id
)
AGAIN = following(FAILED, ItemKind.CALL, NOW_MS, attempt=2)


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
    assert (await side.store.commit(late, Changes(items=(follows,)), SPENT)).applied
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    (found,) = snapshot.items
    assert (found.key, found.abandoned, found.died) == (follows.key, *deaths)


async def test_deaths_of_earlier_attempts_are_kept_too(side: Side) -> None:
    """Also where nobody has died of this one; and who takes its failure in has deaths of its own."""
    await fan_out(side, 1)
    again = replace(AGAIN, died=1)
    assert (await side.store.commit(claim_of(CALL), Changes(items=(again,)), SPENT)).applied
    late = Changes(items=(following(AGAIN, ItemKind.FAILED, NOW_MS),))
    assert (await side.store.commit(claim_of(again), late, SPENT)).applied
    taken_in = following(again, ItemKind.FAILED, NOW_MS, attempt=2)
    for number in range(2):
        await side.store.claim(claim_of(taken_in, f"m{number}", f"o{number}", after_ms=number * LEASE_MS))
    third = following(taken_in, ItemKind.CALL, NOW_MS, attempt=3)
    claim = claim_of(taken_in, after_ms=LEASE_MS + 1)
    assert (await side.store.commit(claim, Changes(items=(third,)), SPENT)).applied
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [(item.key, item.died) for item in snapshot.items] == [(third.key, 1)]


async def test_a_turn_that_was_added_anew_since_it_was_claimed_does_not_count(side: Side) -> None:
    """A failover made the store forget the results that it was told; its claim is forgotten, too, or another's."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    forgotten = replace(claim_of(first_item(), "m1", "o1"), since_ms=first_item().since_ms - 1)
    assert (await side.store.commit(forgotten, ASKED, SPENT)).applied is False
    await side.store.claim(claim_of(first_item(), "m2", "o2"))
    assert (await side.store.commit(forgotten, ASKED, SPENT)).applied is False
    assert (await side.store.commit(replace(forgotten, since_ms=first_item().since_ms), ASKED, SPENT)).applied is True


async def test_a_turn_that_a_sweep_has_redriven_since_it_was_claimed_counts_while_nobody_else_claims_it(
    side: Side,
) -> None:
    """A sweep marks what it redrives; that is no other turn."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
    redriven = replace(claim_of(first_item(), "m1", "o1"), since_ms=first_item().since_ms - 1)
    assert (await side.store.commit(redriven, ASKED, SPENT)).applied is True


async def test_an_item_that_stands_already_keeps_its_relay_id_and_claim(side: Side) -> None:
    """A turn told twice adds no work item a second time, and disturbs nobody who works on it."""
    items = await fan_out(side, 2, "m1")
    await side.store.claim(claim_of(items[0], "m2", "o2"))
    before = await side.reader.job(JOB_ID)
    changes = Changes(items=(items[0], complete_item(1)))
    committed = await side.store.commit(claim_of(items[1], "m3", "o3"), changes, SPENT)
    assert committed == Committed(applied=True, pending=(replace(complete_item(1), relay_id="m3"),))
    after = await side.reader.job(JOB_ID)
    assert before is not None
    assert after is not None
    assert after.items[0] == before.items[0]
    assert (after.items[0].relay_id, after.items[0].owner) == ("m2", "o2")


async def test_records_and_results_are_kept_by_call(side: Side) -> None:
    """A newer record replaces the older one; what others wrote stays."""
    items = await fan_out(side, 2)
    done = replace(record_of(items[1]), status=CallStatus.COMPLETED, attempts=1)
    changes = Changes(calls=(done,), results={items[1].call_id: '{"ok":{"a":"/"}}'})
    assert (await side.store.commit(claim_of(items[1], "m2"), changes, SPENT)).applied
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.calls == (record_of(items[0]), done)
    assert snapshot.results == {items[1].call_id: {"ok": {"a": "/"}}}


async def test_a_commit_without_changes_only_removes_the_item(side: Side) -> None:
    """And counts what it spent; a job with nothing to do requests no slot."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    committed = await side.store.commit(claim_of(first_item(), after_ms=9), Changes(), Spent(2, 3, 0, 1, 0, 40, 80))
    slot_request = slot_request_of("none", "m1", NOW_MS + 9)
    assert committed == Committed(applied=True, pending=(slot_request,))
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert (snapshot.job, snapshot.items) == (a_job(), (slot_request,))
    assert replace(snapshot.usage, redis_commands=0, redis_bytes=0, stamp="") == Usage(
        messages=2, redis_requests=5, updated_ms=NOW_MS + 9, deliveries=1, function_ms=40, mb_ms=80
    )


async def test_usage_grows_with_each_applied_commit_only(side: Side) -> None:
    """A commit that came too late is not the job's."""
    items = await fan_out(side, 2)
    await side.store.commit(claim_of(items[0], "m2"), Changes(), SPENT)
    await side.store.commit(claim_of(items[0], "m2"), Changes(), SPENT)
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    # The creation: 1 request; each of the two commits: 1 message, and CLAIM and COMMIT.
    assert (snapshot.usage.messages, snapshot.usage.redis_requests) == (2, 5)


async def test_a_commit_of_an_unknown_job_creates_nothing(side: Side) -> None:
    """A forgotten job comes back by its backup message only."""
    assert await side.store.commit(claim_of(first_item()), ASKED, SPENT) == Committed(applied=False)
    assert await side.reader.job(JOB_ID) is None
    assert (await side.reader.parts(JOB_ID, 0)).parts == ()
