"""Going on in place: a COMMIT claims what follows for its invocation, and tells it as CLAIM would."""

from msgspec.structs import replace

from baton.engine.commit.answers import Verdict
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind, following, loop_item
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
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
    return Continuation(f"o1.{number}", leases_of(kinds), at_most, frozenset(but))


def approval_of_call(count: int, *, isolated: tuple[int, ...] = ()) -> Changes:
    """A turn's answer: so many tool calls."""
    items = [replace(call_item(at), isolated=at in isolated) for at in range(count)]
    return Changes(items=tuple(items), calls=tuple(map(record_of, items)))


async def created(side: Side, *, isolated: bool = False) -> None:
    await side.store.create(creation(replace(a_job(), isolated=isolated)), "m1", NOW_MS)
    assert (await side.store.claim(claim_of(first_item()))).verdict is Verdict.GRANTED


async def test_what_follows_is_claimed_and_sent_as_begin_sends_it(side: Side) -> None:
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


async def test_a_turn_is_given_its_history(side: Side) -> None:
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


async def test_what_the_invocation_has_in_hand_is_not_given_to_it(side: Side) -> None:
    """Its other work items go on at the same time: their answers would grow with each other."""
    await created(side)
    await side.store.commit(claim_of(first_item()), approval_of_call(3), SPENT, room())
    over = Changes(join=next_turn(), results={call_item(0).call_id: '{"ok":1}'})
    done = await side.store.commit(claim_of(call_item(0), owner="o1.1"), over, SPENT, room(2))
    assert (done.applied, done.claimed, done.pending) == (True, (), ())


async def test_a_due_wait_is_claimed_with_its_outcome(side: Side) -> None:
    await created(side)
    await side.store.commit(claim_of(first_item()), approval_of_call(1), SPENT, room())
    wait = replace(following(call_item(0), ItemKind.WAIT, NOW_MS, not_before_ms=NOW_MS), timeout_result='{"ok":"late"}')
    done = await side.store.commit(claim_of(call_item(0), owner="o1.1"), Changes(items=(wait,)), SPENT, room(2))
    assert [claim_result.state.outcome for claim_result in done.claimed if claim_result.state] == ['{"ok":"late"}']
