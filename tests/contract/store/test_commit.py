"""COMMIT: the first one of a work item wins, whoever sends it; any other changes nothing."""

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
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
    creation,
    fan_out,
    first_item,
    record_of,
)
from tests.contract.store.side import Side

REQUESTED = Changes(
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
    committed = await side.store.commit(claim_of(first_item()), REQUESTED, SPENT)
    assert committed.applied
    assert by_key(committed.pending) == [replace(item, relay_id="m1") for item in REQUESTED.items]
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert (snapshot.job, snapshot.calls) == (REQUESTED.job, REQUESTED.calls)
    assert by_key(snapshot.items) == by_key(committed.pending)
    assert (await side.reader.parts(JOB_ID, 1)).parts == REQUESTED.parts


async def test_a_second_commit_changes_nothing_but_learns_what_it_guarantees(side: Side) -> None:
    """Its own message's work items, so that a repeated command, whose reply was lost, can still dispatch."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    first = await side.store.commit(claim_of(first_item()), REQUESTED, SPENT)
    before = await side.reader.job(JOB_ID), await side.reader.parts(JOB_ID, 0)
    again = await side.store.commit(claim_of(first_item()), REQUESTED, SPENT)
    assert (again.applied, by_key(again.pending)) == (False, by_key(first.pending))
    other = await side.store.commit(claim_of(first_item(), "m2", "o2"), Changes(parts=("{}",)), SPENT)
    assert other == Committed(applied=False)
    assert (await side.reader.job(JOB_ID), await side.reader.parts(JOB_ID, 0)) == before


async def test_the_first_commit_wins_whichever_instance_holds_the_claim(side: Side) -> None:
    """Somebody who comes back after the lease may be first; then the claim's holder changes nothing."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
    await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS))
    late = await side.store.commit(claim_of(first_item(), "m1", "o1", after_ms=LEASE_MS + 1), REQUESTED, SPENT)
    assert late.applied
    overtaken = await side.store.commit(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 2), REQUESTED, SPENT)
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


async def test_a_turn_that_a_sweep_has_redriven_since_it_was_claimed_counts_while_nobody_else_claims_it(
    side: Side,
) -> None:
    """A sweep marks what it redrives; that is no other turn."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
    redriven = replace(claim_of(first_item(), "m1", "o1"), since_ms=first_item().since_ms - 1)
    assert (await side.store.commit(redriven, REQUESTED, SPENT)).applied is True


async def test_a_call_that_runs_again_is_another_one_for_whoever_held_it(side: Side) -> None:
    """The first COMMIT of a run counts, though the work item has the same key afterwards."""
    await fan_out(side, 1)
    for owner, after_ms in (("o1", 0), ("o2", LEASE_MS)):
        answer = await side.store.claim(claim_of(CALL, owner, owner, after_ms=after_ms))
        assert answer.verdict is Verdict.GRANTED
    again = Changes(items=(replace(CALL, offloaded=1),))
    first, late = (claim_of(CALL, owner, owner, after_ms=LEASE_MS + 1) for owner in ("o2", "o1"))
    assert (await side.store.commit(first, again, SPENT)).applied
    assert not (await side.store.commit(late, again, SPENT)).applied
    assert (await side.store.claim(claim_of(CALL, "m3", "o3", after_ms=LEASE_MS + 2))).verdict is Verdict.GRANTED
    assert (await side.store.commit(replace(claim_of(CALL, "m3", "o3"), looks=1), Changes(), SPENT)).applied
