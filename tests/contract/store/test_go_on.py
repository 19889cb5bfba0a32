"""Going on in place: a COMMIT claims what follows for its invocation, and tells it as CLAIM would."""

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Verdict
from baton.engine.effects import Changes, Join
from baton.engine.outbox import Continuation
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, following, loop_item
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
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import Side

CALLS = frozenset({ItemKind.CALL})
ALL = frozenset(ItemKind)


def room(
    number: int = 1, *, kinds: frozenset[ItemKind] = ALL, at_most: int = 9, but: tuple[str, ...] = ()
) -> Continuation:
    """Room of the invocation o1, in its commit of this number."""
    return Continuation(f"o1.{number}", leases_of(kinds), at_most, frozenset(but))


def approval_of_call(count: int, *, isolated: tuple[int, ...] = ()) -> Changes:
    """A turn's answer: so many tool calls."""
    items = [replace(call_item(at), isolated=at in isolated) for at in range(count)]
    return Changes(items=tuple(items), calls=tuple(map(record_of, items)))


async def created(side: Side, *, isolated: bool = False) -> None:
    """A job in its first turn."""
    await side.store.create(creation(replace(a_job(), isolated=isolated)), "m1", NOW_MS)
    assert (await side.store.claim(claim_of(first_item()))).verdict is Verdict.GRANTED


async def test_what_follows_is_claimed_and_told_as_begin_tells_it(side: Side) -> None:
    """The record comes with the work item; nothing else is carried."""
    await created(side)
    done = await side.store.commit(claim_of(first_item()), approval_of_call(2), SPENT, room())
    assert done.applied
    assert done.pending == ()
    states = [claim_result.state for claim_result in done.claimed]
    assert [state.call for state in states if state] == [record_of(call_item(0)), record_of(call_item(1))]
    assert {(state.item.owner, state.item.relay_id) for state in states if state} == {("o1.1", "m1")}
    assert (await side.store.claim(claim_of(call_item(0), "m2", "o2"))).verdict is Verdict.BUSY
    again = await side.store.claim(claim_of(call_item(0), "m1", "o1.1"))
    assert again.state == states[0]


async def test_a_turn_is_told_what_was_said(side: Side) -> None:
    """The last call of a turn claims the next turn, with the whole conversation and its limits."""
    await created(side)
    await side.store.commit(claim_of(first_item()), approval_of_call(1), SPENT, room())
    ends = Changes(join=next_turn(), results={call_item(0).call_id: '{"ok":1}'}, transcript=('{"a":1}',))
    done = await side.store.commit(claim_of(call_item(0), owner="o1.1"), ends, SPENT, room(2))
    assert [claim_result.state.item.kind for claim_result in done.claimed if claim_result.state] == [ItemKind.LOOP]
    claim_result = await side.store.claim(claim_of(loop_item(JOB_ID, 2, 1, NOW_MS), "m1", "o1.2"))
    assert (done.claimed[0].history, done.claimed[0].state) == (claim_result.history, claim_result.state)
    assert len(claim_result.history.transcript) == 2
    assert claim_result.history.results == {call_item(0).call_id: {"ok": 1}}


async def test_no_more_than_there_is_room_for(side: Side) -> None:
    """The rest is carried, in its order, for others."""
    await created(side)
    done = await side.store.commit(claim_of(first_item()), approval_of_call(3), SPENT, room(at_most=2))
    assert [claim_result.state.item.position for claim_result in done.claimed if claim_result.state] == [0, 1]
    assert [item.position for item in done.pending] == [2]


async def test_what_is_kept_apart_is_not_claimed(side: Side) -> None:
    """A call may want an invocation of its own, or the whole job; kinds that the function cannot do are left, too."""
    await created(side)
    done = await side.store.commit(
        claim_of(first_item()), approval_of_call(3, isolated=(1,)), SPENT, room(but=(call_item(2).key,))
    )
    assert [claim_result.state.item.position for claim_result in done.claimed if claim_result.state] == [0]
    assert [item.position for item in done.pending] == [1, 2]


async def test_a_job_that_is_kept_apart_goes_on_nowhere(side: Side) -> None:
    """None of its turns and calls."""
    await created(side, isolated=True)
    done = await side.store.commit(claim_of(first_item()), approval_of_call(2), SPENT, room())
    assert (done.claimed, len(done.pending)) == ((), 2)


@pytest.mark.parametrize("follows", [ItemKind.LOOP, ItemKind.CALL, ItemKind.FAILED])
async def test_each_kind_is_claimed_for_a_time_of_its_own(side: Side, follows: ItemKind) -> None:
    """A model's turn may take longer than a tool, and taking in a result takes no time."""
    await created(side)
    items = {
        ItemKind.LOOP: (loop_item(JOB_ID, 1, 2, NOW_MS),),
        ItemKind.CALL: (call_item(0), call_item(1)),
        ItemKind.FAILED: (following(call_item(0), ItemKind.FAILED, NOW_MS),),
    }[follows]
    calls = tuple(record_of(item) for item in items if item.call_id)
    done = await side.store.commit(claim_of(first_item()), Changes(items=items, calls=calls), SPENT, room())
    until_ms = NOW_MS + leases_of()[follows]
    assert [claim_result.state.item.lease_until_ms for claim_result in done.claimed if claim_result.state] == [
        until_ms
    ] * len(items)
    busy = await side.store.claim(claim_of(items[0], "m2", "o2"))
    assert (busy.verdict, busy.free_at_ms) == (Verdict.BUSY, until_ms)


async def test_a_kind_that_the_function_cannot_do_is_pending(side: Side) -> None:
    """The tool executor never goes into a model turn."""
    await created(side)
    nothing = Changes(items=(loop_item(JOB_ID, 1, 2, NOW_MS),))
    done = await side.store.commit(claim_of(first_item()), nothing, SPENT, room(kinds=CALLS))
    assert (done.claimed, [item.kind for item in done.pending]) == ((), [ItemKind.LOOP])


async def test_what_is_not_due_is_pending(side: Side) -> None:
    """A retry later is a message of its own."""
    await created(side)
    later = Changes(items=(loop_item(JOB_ID, 1, 2, NOW_MS, NOW_MS + 1),))
    done = await side.store.commit(claim_of(first_item()), later, SPENT, room())
    assert (done.claimed, [item.attempt for item in done.pending]) == ((), [2])


async def test_a_repeated_commit_is_told_the_same_claims_and_gets_no_more(side: Side) -> None:
    """Whose answer was lost asks again; nobody else got them meanwhile."""
    await created(side)
    first = await side.store.commit(claim_of(first_item()), approval_of_call(3), SPENT, room(at_most=1))
    again = await side.store.commit(claim_of(first_item()), approval_of_call(3), SPENT, room())
    assert (first.applied, again.applied) == (True, False)
    assert again.claimed == first.claimed
    assert [item.position for item in again.pending] == [1, 2]


async def test_what_the_invocation_has_in_hand_is_not_told_to_it(side: Side) -> None:
    """Its other work items go on at the same time: their answers would grow with each other."""
    await created(side)
    await side.store.commit(claim_of(first_item()), approval_of_call(3), SPENT, room())
    over = Changes(join=next_turn(), results={call_item(0).call_id: '{"ok":1}'})
    done = await side.store.commit(claim_of(call_item(0), owner="o1.1"), over, SPENT, room(2))
    assert (done.applied, done.claimed, done.pending) == (True, (), ())


async def test_a_slot_request_is_claimed_by_its_end(side: Side) -> None:
    """The end of a job is told to the admission in the same invocation."""
    await created(side)
    ended = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    done = await side.store.commit(claim_of(first_item()), ended, SPENT, room(kinds=frozenset({ItemKind.SLOT_REQUEST})))
    assert [
        (claim_result.state.item.kind, claim_result.state.item.want)
        for claim_result in done.claimed
        if claim_result.state
    ] == [(ItemKind.SLOT_REQUEST, "gone")]


async def test_a_due_wait_is_claimed_with_its_outcome(side: Side) -> None:
    """The outcome that it ends with is fixed, as at a CLAIM."""
    await created(side)
    await side.store.commit(claim_of(first_item()), approval_of_call(1), SPENT, room())
    wait = replace(following(call_item(0), ItemKind.WAIT, NOW_MS, not_before_ms=NOW_MS), timeout_result='{"ok":"late"}')
    done = await side.store.commit(claim_of(call_item(0), owner="o1.1"), Changes(items=(wait,)), SPENT, room(2))
    assert [claim_result.state.outcome for claim_result in done.claimed if claim_result.state] == ['{"ok":"late"}']


async def test_in_a_fan_out_each_commit_claims_nothing_of_the_others(side: Side) -> None:
    """The last one claims the next turn."""
    items = await fan_out(side, 3)
    for number, item in enumerate(items):
        assert (await side.store.claim(claim_of(item, "m1", f"o1.{number}"))).verdict is Verdict.GRANTED
    claims = []
    for number, item in enumerate(items):
        over = Changes(join=Join(item.group, loop_item(JOB_ID, 2, 1, NOW_MS)))
        done = await side.store.commit(claim_of(item, "m1", f"o1.{number}"), over, SPENT, room(7 + number))
        claims.append([claim_result.state.item.kind for claim_result in done.claimed if claim_result.state])
    assert claims == [[], [], [ItemKind.LOOP]]
