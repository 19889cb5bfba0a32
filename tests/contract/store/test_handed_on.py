"""A message that comes again while its first delivery goes on in place: it is acknowledged, so that one ends its chain.

Whoever comes with the message hands on what it carries, not before its lease ends, and the queue is told that all is
done. What the first one commits after that has nobody who brings it back: it is published, to get carriers of its own.
"""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from baton.core.admission import Standing
from baton.core.effects import Changes
from baton.core.going_on import GoOn
from baton.core.legs import Leg, LegKind, following, loop_leg
from baton.ports import Committed, OutsideFact, Verdict
from tests.contract.store.sample import (
    FIRST_LAP,
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    book_of,
    call_leg,
    claim_of,
    creation,
    first_leg,
    leases_of,
    next_turn,
    record_of,
    wish_of,
)
from tests.contract.store.side import Side

LOST_AFTER_MS = 60_000
CALL_MS = leases_of()[LegKind.CALL]
OVER = Changes(join=next_turn(), results={call_leg(0).call_id: '{"ok":1}'})


def room(number: int, invocation: str = "o1") -> GoOn:
    """Room for everything."""
    return GoOn(f"{invocation}.{number}", leases_of(), 9)


async def in_place(side: Side, count: int = 1) -> list[Leg]:
    """The invocation o1 has made m1's turn, and holds its calls as o1.1; their legs."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    assert (await side.store.begin(claim_of(first_leg()))).verdict is Verdict.GRANTED
    legs = [call_leg(at) for at in range(count)]
    turn = Changes(legs=tuple(legs), calls=tuple(map(record_of, legs)))
    assert len((await side.store.commit(claim_of(first_leg()), turn, SPENT, room(1))).claimed) == count
    return legs


async def committed(side: Side, number: int = 2, changes: Changes = OVER) -> Committed:
    """The first call is over: o1 commits it."""
    return await side.store.commit(claim_of(call_leg(0), owner="o1.1"), changes, SPENT, room(number))


def is_released(done: Committed) -> bool:
    """Whether nothing was claimed, since somebody else hands on what follows, too."""
    follows = [leg for leg in done.carried if leg.kind is not LegKind.WISH]
    assert not (done.claimed and follows)
    return bool(follows) and all(leg.handed_on for leg in follows)


async def again(side: Side) -> None:
    """M1 comes again; what it was about is done."""
    begun = await side.store.begin(claim_of(first_leg(), owner="o2"))
    assert (begun.verdict, [leg.key for leg in begun.carried]) == (Verdict.APPLIED, [call_leg(0).key])


async def as_a_callback(side: Side) -> None:
    """The queue has given up on m1."""
    told = await side.store.undelivered(claim_of(first_leg(), "cb1"), "m1")
    assert [leg.key for leg in told.carried] == [call_leg(0).key]


async def as_a_callback_about_the_leg(side: Side) -> None:
    """The queue has given up on a message with the held leg's own event: that event is published anew."""
    assert (await side.store.undelivered(claim_of(call_leg(0), "cb1"), "m1")).state is not None


async def as_a_submission(side: Side) -> None:
    """The same message tells that the job is to be created."""
    created = await side.store.create(creation(a_job()), "m1", NOW_MS)
    assert (created.new, [leg.key for leg in created.carried]) == (False, [call_leg(0).key])


async def as_a_repeated_fact(side: Side) -> None:
    """The same message tells something from outside that is known already."""
    fact = OutsideFact("evt_1", '{"ok":1}', event="paid")
    await side.store.tell(JOB_ID, "m9", fact, NOW_MS)
    told = await side.store.tell(JOB_ID, "m1", fact, NOW_MS)
    assert [leg.key for leg in told.legs] == [call_leg(0).key]


async def as_a_busy_one(side: Side) -> None:
    """The held leg is the message's own: it publishes itself again."""
    assert (await side.store.begin(claim_of(call_leg(0), owner="o2"))).verdict is Verdict.BUSY


HOW = [
    again,
    as_a_callback,
    as_a_callback_about_the_leg,
    as_a_submission,
    as_a_repeated_fact,
    as_a_busy_one,
]


@pytest.mark.parametrize("comes", HOW, ids=lambda comes: comes.__name__)
async def test_who_has_lost_its_message_goes_on_with_nothing(
    side: Side, comes: Callable[[Side], Awaitable[None]]
) -> None:
    """What follows is told, to be published."""
    await in_place(side)
    await comes(side)
    done = await committed(side)
    assert (done.applied, is_released(done)) == (True, True)
    assert [leg.kind for leg in done.carried if leg.kind is not LegKind.WISH] == [LegKind.LOOP]


async def test_all_that_it_holds_is_handed_on(side: Side) -> None:
    """Each of its calls knows, whichever is over last."""
    legs = await in_place(side, 2)
    carried = (await side.store.begin(claim_of(first_leg(), owner="o2"))).carried
    assert [(leg.key, leg.handed_on) for leg in carried] == [(leg.key, True) for leg in legs]
    assert (await committed(side)).applied
    last = await side.store.commit(claim_of(legs[1], owner="o1.1"), OVER, SPENT, room(3))
    assert (last.applied, is_released(last)) == (True, True)


async def test_who_is_not_told_of_it_goes_on_with_nothing_afterwards(side: Side) -> None:
    """The answer was lost: what is said to a COMMIT that is repeated no longer knows of the leg that was handed on."""
    await in_place(side)
    await again(side)
    assert is_released(await committed(side))
    repeated = await committed(side)
    assert (repeated.applied, is_released(repeated)) == (False, True)
    (turn,) = [leg for leg in repeated.carried if leg.kind is LegKind.LOOP]
    assert (await side.store.begin(claim_of(turn))).verdict is Verdict.GRANTED
    done = await side.store.commit(claim_of(turn), Changes(legs=(call_leg(1),)), SPENT, room(3))
    assert is_released(done)


async def test_another_message_that_finds_it_busy_takes_nothing_away(side: Side) -> None:
    """M1 is still to be acknowledged by who works."""
    await in_place(side)
    assert (await side.store.begin(claim_of(call_leg(0), "m2", "o2"))).verdict is Verdict.BUSY
    done = await committed(side)
    assert [begun.state.leg.kind for begun in done.claimed if begun.state] == [LegKind.LOOP]


async def test_an_invocation_does_not_release_what_it_has_in_hand(side: Side) -> None:
    """It asks for a further leg while others are under way: it is told those, too."""
    await in_place(side, 2)
    later = following(call_leg(1), LegKind.FAILED, NOW_MS)
    failed = Changes(legs=(later,), calls=(record_of(call_leg(1)),))
    assert (await side.store.commit(claim_of(call_leg(1), owner="o1.1"), failed, SPENT)).applied
    assert (await side.store.begin(claim_of(later, owner="o1"))).verdict is Verdict.GRANTED
    done = await committed(side, changes=replace(OVER, join=None, legs=(loop_leg(JOB_ID, 2, 1, NOW_MS),)))
    assert [begun.state.leg.kind for begun in done.claimed if begun.state] == [LegKind.LOOP]


async def test_who_has_lost_its_claim_goes_on_with_nothing(side: Side) -> None:
    """Its lease was over, and somebody else has begun the leg: its message has been told again."""
    await in_place(side)
    assert (await side.store.begin(claim_of(call_leg(0), "m2", "o2", after_ms=CALL_MS + 1))).verdict is Verdict.GRANTED
    done = await committed(side)
    assert (done.applied, is_released(done)) == (True, True)


async def test_a_new_claim_is_not_handed_on(side: Side) -> None:
    """Who claims a leg by a message of its own goes on in place."""
    await in_place(side)
    await again(side)
    late = claim_of(call_leg(0), "m2", "o2", after_ms=CALL_MS + 1)
    begun = await side.store.begin(late)
    assert begun.state is not None
    assert not begun.state.leg.handed_on
    done = await side.store.commit(late, OVER, SPENT, room(1, "o2"))
    assert [begun.state.leg.kind for begun in done.claimed if begun.state] == [LegKind.LOOP]


@pytest.mark.parametrize("go_on", [room(1, "o2"), None], ids=["in place", "not in place"])
async def test_who_comes_too_late_hands_on_what_another_one_holds(side: Side, go_on: GoOn | None) -> None:
    """Its own COMMIT finds the leg gone, and is told what the message carries since."""
    await in_place(side)
    late = await side.store.commit(claim_of(first_leg(), owner="o2"), Changes(), SPENT, go_on)
    assert (late.applied, [(leg.key, leg.handed_on) for leg in late.carried]) == (False, [(call_leg(0).key, True)])
    assert is_released(await committed(side))


async def test_what_nobody_has_claimed_yet_is_handed_on_once(side: Side) -> None:
    """Its first delivery is about to ask for it: that request is slow, and the message comes again."""
    legs = await in_place(side)
    taken_in = Changes(legs=(following(legs[0], LegKind.COMPLETE, NOW_MS),), results={legs[0].call_id: '{"ok":1}'})
    first = await side.store.commit(claim_of(legs[0], owner="o1.1"), taken_in, SPENT)
    second = await side.store.begin(claim_of(first_leg(), owner="o2"))
    assert [(leg.key, leg.handed_on) for leg in second.carried] == [(first.carried[0].key, True)]
    assert (await side.store.begin(claim_of(first.carried[0], owner="o1"))).verdict is Verdict.GRANTED
    done = await side.store.commit(claim_of(first.carried[0]), Changes(join=next_turn()), SPENT, room(2))
    assert is_released(done)


async def test_the_same_message_does_not_get_back_what_it_has_handed_on(side: Side) -> None:
    """Whichever of its deliveries asks: it may be acknowledged at any time."""
    await in_place(side)
    await again(side)
    begun = await side.store.begin(claim_of(call_leg(0), "m1", "o3", after_ms=CALL_MS + 1))
    assert begun.state is not None
    assert begun.state.leg.handed_on
    done = await side.store.commit(claim_of(call_leg(0), "m1", "o3"), OVER, SPENT, room(1, "o3"))
    assert is_released(done)


async def test_who_comes_again_while_its_job_has_no_slot_releases_its_own_leg(side: Side) -> None:
    """The admission forgot a job at work, which wishes again; the message is acknowledged, since the wish is told."""
    await in_place(side)
    await side.store.look(JOB_ID, "sweep1", NOW_MS + LOST_AFTER_MS, LOST_AFTER_MS, {})
    late = claim_of(call_leg(0), "m1", "o2", after_ms=CALL_MS + 1)
    assert (await side.store.begin(late)).verdict is Verdict.GATED
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [leg.handed_on for leg in snapshot.legs if leg.kind is LegKind.CALL] == [True]


async def test_who_comes_again_about_what_is_done_releases_what_was_begun_with_a_slot(side: Side) -> None:
    """The same, where the message is about an earlier leg of its chain: it hands on nothing, and is acknowledged."""
    await in_place(side)
    await side.store.look(JOB_ID, "sweep1", NOW_MS + LOST_AFTER_MS, LOST_AFTER_MS, {})
    begun = await side.store.begin(claim_of(first_leg(), owner="o2"))
    assert (begun.verdict, begun.carried) == (Verdict.APPLIED, ())
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [leg.handed_on for leg in snapshot.legs if leg.kind is LegKind.CALL] == [True]


async def test_a_wish_that_is_taken_from_somebody_else_is_released(side: Side) -> None:
    """Nobody holds a wish: whoever is told of it may claim it, also who has lost its message meanwhile."""
    await side.store.create(creation(a_job(), slot=False), "m1", NOW_MS)
    wish = wish_of("slot", "m1", FIRST_LAP)
    begun = [await side.store.begin(claim_of(wish, *who)) for who in (("m2", "o2"), ("m2", "o2.1"), ("m1", "o1"))]
    assert [each.state.leg.handed_on for each in begun if each.state] == [False, False, True]
    done = await side.store.commit(claim_of(wish), Changes(admitted=True), SPENT, room(1))
    assert (is_released(done), [leg.key for leg in done.carried]) == (True, [first_leg().key])


async def test_who_goes_on_with_nothing_anyway_is_not_told(side: Side) -> None:
    """It publishes what follows in any case."""
    await in_place(side)
    await again(side)
    done = await side.store.commit(claim_of(call_leg(0), owner="o1.1"), OVER, SPENT)
    assert (done.applied, is_released(done)) == (True, False)


async def test_a_sweep_hands_on_what_stands_still(side: Side) -> None:
    """Who held it long ago may wake up, and its message has had its retries."""
    await in_place(side)
    late_ms = NOW_MS + CALL_MS + LOST_AFTER_MS + 1
    looked = await side.store.look(JOB_ID, "sweep1", late_ms, LOST_AFTER_MS, book_of(JOB_ID))
    assert [(leg.key, leg.handed_on) for leg in looked.lost] == [(call_leg(0).key, True)]
    assert is_released(await committed(side))


async def test_a_fact_that_is_recorded_again_hands_on_what_it_carries(side: Side) -> None:
    """A job that was let run again goes on in place by the message that told so."""
    await in_place(side)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    _, legs = await side.store.record(loaded, "m1", Changes(), NOW_MS)
    assert [(leg.key, leg.handed_on) for leg in legs] == [(call_leg(0).key, True)]
    assert is_released(await committed(side))


@pytest.mark.parametrize("go_on", [room(1, "o3"), None], ids=["in place", "not in place"])
async def test_a_slot_that_is_given_anew_brings_what_somebody_works_on(side: Side, go_on: GoOn | None) -> None:
    """A failover forgot that the job had it: who tells of the slot carries the job's work from then on."""
    await in_place(side)
    wish = wish_of("slot", "m3", NOW_MS + 1)
    again = Changes(legs=(wish,), standing=Standing("slot", NOW_MS + 1, slot=False))
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    await side.store.record(loaded, "m3", replace(again, job=loaded.job), NOW_MS)
    told = await side.store.commit(claim_of(wish, "m3", "o3"), Changes(admitted=True), SPENT, go_on)
    assert [(leg.key, leg.handed_on) for leg in told.carried] == [(call_leg(0).key, True)]
    assert is_released(await committed(side))
