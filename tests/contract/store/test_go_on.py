"""Going on in place: a COMMIT claims what follows for its invocation, and tells it as BEGIN would."""

import pytest
from msgspec.structs import replace

from baton.core.effects import Changes, Join
from baton.core.going_on import GoOn
from baton.core.legs import LegKind, following, loop_leg
from baton.core.transitions import JobStatus
from baton.ports import Verdict
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_leg,
    claim_of,
    creation,
    fan_out,
    first_leg,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import Side

CALLS = frozenset({LegKind.CALL})
ALL = frozenset(LegKind)


def room(number: int = 1, *, kinds: frozenset[LegKind] = ALL, at_most: int = 9, but: tuple[str, ...] = ()) -> GoOn:
    """Room of the invocation o1, in its commit of this number."""
    return GoOn(f"o1.{number}", leases_of(kinds), at_most, frozenset(but))


def asks_for(count: int, *, isolated: tuple[int, ...] = ()) -> Changes:
    """A turn's answer: so many tool calls."""
    legs = [replace(call_leg(at), isolated=at in isolated) for at in range(count)]
    return Changes(legs=tuple(legs), calls=tuple(map(record_of, legs)))


async def created(side: Side, *, isolated: bool = False) -> None:
    """A job in its first turn."""
    await side.store.create(creation(replace(a_job(), isolated=isolated)), "m1", NOW_MS)
    assert (await side.store.begin(claim_of(first_leg()))).verdict is Verdict.GRANTED


async def test_what_follows_is_claimed_and_told_as_begin_tells_it(side: Side) -> None:
    """The record comes with the leg; nothing else is carried."""
    await created(side)
    done = await side.store.commit(claim_of(first_leg()), asks_for(2), SPENT, room())
    assert done.applied
    assert done.carried == ()
    states = [begun.state for begun in done.claimed]
    assert [state.call for state in states if state] == [record_of(call_leg(0)), record_of(call_leg(1))]
    assert {(state.leg.owner, state.leg.carrier) for state in states if state} == {("o1.1", "m1")}
    assert (await side.store.begin(claim_of(call_leg(0), "m2", "o2"))).verdict is Verdict.BUSY
    again = await side.store.begin(claim_of(call_leg(0), "m1", "o1.1"))
    assert again.state == states[0]


async def test_a_turn_is_told_what_was_said(side: Side) -> None:
    """The last call of a turn claims the next turn, with the whole conversation and its limits."""
    await created(side)
    await side.store.commit(claim_of(first_leg()), asks_for(1), SPENT, room())
    ends = Changes(join=next_turn(), results={call_leg(0).call_id: '{"ok":1}'}, transcript=('{"a":1}',))
    done = await side.store.commit(claim_of(call_leg(0), owner="o1.1"), ends, SPENT, room(2))
    assert [begun.state.leg.kind for begun in done.claimed if begun.state] == [LegKind.LOOP]
    begun = await side.store.begin(claim_of(loop_leg(JOB_ID, 2, 1, NOW_MS), "m1", "o1.2"))
    assert (done.claimed[0].history, done.claimed[0].state) == (begun.history, begun.state)
    assert len(begun.history.transcript) == 2
    assert begun.history.results == {call_leg(0).call_id: {"ok": 1}}


async def test_no_more_than_there_is_room_for(side: Side) -> None:
    """The rest is carried, in its order, for others."""
    await created(side)
    done = await side.store.commit(claim_of(first_leg()), asks_for(3), SPENT, room(at_most=2))
    assert [begun.state.leg.position for begun in done.claimed if begun.state] == [0, 1]
    assert [leg.position for leg in done.carried] == [2]


async def test_what_is_kept_apart_is_not_claimed(side: Side) -> None:
    """A call may want an invocation of its own, or the whole job; kinds that the function cannot do are left, too."""
    await created(side)
    done = await side.store.commit(
        claim_of(first_leg()), asks_for(3, isolated=(1,)), SPENT, room(but=(call_leg(2).key,))
    )
    assert [begun.state.leg.position for begun in done.claimed if begun.state] == [0]
    assert [leg.position for leg in done.carried] == [1, 2]


async def test_a_job_that_is_kept_apart_goes_on_nowhere(side: Side) -> None:
    """None of its turns and calls."""
    await created(side, isolated=True)
    done = await side.store.commit(claim_of(first_leg()), asks_for(2), SPENT, room())
    assert (done.claimed, len(done.carried)) == ((), 2)


@pytest.mark.parametrize("follows", [LegKind.LOOP, LegKind.CALL, LegKind.FAILED])
async def test_each_kind_is_claimed_for_a_time_of_its_own(side: Side, follows: LegKind) -> None:
    """A model's turn may take longer than a tool, and taking in a result takes no time."""
    await created(side)
    legs = {
        LegKind.LOOP: (loop_leg(JOB_ID, 1, 2, NOW_MS),),
        LegKind.CALL: (call_leg(0), call_leg(1)),
        LegKind.FAILED: (following(call_leg(0), LegKind.FAILED, NOW_MS),),
    }[follows]
    calls = tuple(record_of(leg) for leg in legs if leg.call_id)
    done = await side.store.commit(claim_of(first_leg()), Changes(legs=legs, calls=calls), SPENT, room())
    until_ms = NOW_MS + leases_of()[follows]
    assert [begun.state.leg.lease_until_ms for begun in done.claimed if begun.state] == [until_ms] * len(legs)
    busy = await side.store.begin(claim_of(legs[0], "m2", "o2"))
    assert (busy.verdict, busy.free_at_ms) == (Verdict.BUSY, until_ms)


async def test_a_kind_that_the_function_cannot_do_is_carried(side: Side) -> None:
    """The tool executor never goes into a model turn."""
    await created(side)
    nothing = Changes(legs=(loop_leg(JOB_ID, 1, 2, NOW_MS),))
    done = await side.store.commit(claim_of(first_leg()), nothing, SPENT, room(kinds=CALLS))
    assert (done.claimed, [leg.kind for leg in done.carried]) == ((), [LegKind.LOOP])


async def test_what_is_not_due_is_carried(side: Side) -> None:
    """A retry later is a message of its own."""
    await created(side)
    later = Changes(legs=(loop_leg(JOB_ID, 1, 2, NOW_MS, NOW_MS + 1),))
    done = await side.store.commit(claim_of(first_leg()), later, SPENT, room())
    assert (done.claimed, [leg.attempt for leg in done.carried]) == ((), [2])


async def test_a_repeated_commit_is_told_the_same_claims_and_gets_no_more(side: Side) -> None:
    """Whose answer was lost asks again; nobody else got them meanwhile."""
    await created(side)
    first = await side.store.commit(claim_of(first_leg()), asks_for(3), SPENT, room(at_most=1))
    again = await side.store.commit(claim_of(first_leg()), asks_for(3), SPENT, room())
    assert (first.applied, again.applied) == (True, False)
    assert again.claimed == first.claimed
    assert [leg.position for leg in again.carried] == [1, 2]


async def test_what_the_invocation_has_in_hand_is_not_told_to_it(side: Side) -> None:
    """Its other legs go on at the same time: their answers would grow with each other."""
    await created(side)
    await side.store.commit(claim_of(first_leg()), asks_for(3), SPENT, room())
    over = Changes(join=next_turn(), results={call_leg(0).call_id: '{"ok":1}'})
    done = await side.store.commit(claim_of(call_leg(0), owner="o1.1"), over, SPENT, room(2))
    assert (done.applied, done.claimed, done.carried) == (True, (), ())


async def test_a_wish_is_claimed_by_its_end(side: Side) -> None:
    """The end of a job is told to the admission in the same invocation."""
    await created(side)
    ended = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    done = await side.store.commit(claim_of(first_leg()), ended, SPENT, room(kinds=frozenset({LegKind.WISH})))
    assert [(begun.state.leg.kind, begun.state.leg.want) for begun in done.claimed if begun.state] == [
        (LegKind.WISH, "gone")
    ]


async def test_a_due_wait_is_claimed_with_its_outcome(side: Side) -> None:
    """The outcome that it ends with is fixed, as at a BEGIN."""
    await created(side)
    await side.store.commit(claim_of(first_leg()), asks_for(1), SPENT, room())
    wait = replace(following(call_leg(0), LegKind.WAIT, NOW_MS, not_before_ms=NOW_MS), otherwise='{"ok":"late"}')
    done = await side.store.commit(claim_of(call_leg(0), owner="o1.1"), Changes(legs=(wait,)), SPENT, room(2))
    assert [begun.state.outcome for begun in done.claimed if begun.state] == ['{"ok":"late"}']


async def test_in_a_fan_out_each_commit_claims_nothing_of_the_others(side: Side) -> None:
    """The last one claims the next turn."""
    legs = await fan_out(side, 3)
    for number, leg in enumerate(legs):
        assert (await side.store.begin(claim_of(leg, "m1", f"o1.{number}"))).verdict is Verdict.GRANTED
    claims = []
    for number, leg in enumerate(legs):
        over = Changes(join=Join(leg.group, loop_leg(JOB_ID, 2, 1, NOW_MS)))
        done = await side.store.commit(claim_of(leg, "m1", f"o1.{number}"), over, SPENT, room(7 + number))
        claims.append([begun.state.leg.kind for begun in done.claimed if begun.state])
    assert claims == [[], [], [LegKind.LOOP]]
