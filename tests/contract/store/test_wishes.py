"""What a job wishes of the admission: a leg of its own, the gate that work waits at, and what settles it."""

import pytest
from msgspec.structs import replace

from baton.core.admission import KEEP_SLOT_MS, Book, Entry, Standing, Want
from baton.core.effects import Changes
from baton.core.legs import loop_leg, wish_leg
from baton.core.transitions import JobStatus
from baton.ports import Begun, Claim, Committed, OutsideFact, Verdict
from tests.contract.store.sample import (
    FIRST_LAP,
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    book_of,
    by_key,
    call_leg,
    claim_of,
    complete_leg,
    creation,
    fan_out,
    first_leg,
    wish_of,
)
from tests.contract.store.side import Side

LOST_AFTER_MS = 60_000
FIRST_WISH = wish_leg(JOB_ID, "slot", FIRST_LAP, NOW_MS)


async def waiting_job(side: Side) -> None:
    """A job that was created without a slot."""
    await side.store.create(creation(a_job(), slot=False), "witness", NOW_MS)


async def standing_of(side: Side) -> Standing:
    """How the job stands."""
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    return snapshot.standing


def wish_claim(lap: int, message: str = "m1", *, after_ms: int = 0) -> Claim:
    """Who asks for a wish."""
    return claim_of(wish_leg(JOB_ID, "slot", lap, NOW_MS), message, after_ms=after_ms)


async def test_a_job_without_a_slot_carries_its_wish_and_not_its_work(side: Side) -> None:
    """Its witness hands on the wish alone: the turn waits in the state, not in the queue."""
    created = await side.store.create(creation(a_job(), slot=False), "m1", NOW_MS)
    assert created.carried == (replace(FIRST_WISH, carrier="m1"),)
    assert not created.standing.slot
    assert await standing_of(side) == Standing("slot", FIRST_LAP, slot=False)


async def test_work_without_a_slot_is_gated(side: Side) -> None:
    """Nothing is claimed; whoever carries the wish learns so."""
    await waiting_job(side)
    begun = await side.store.begin(claim_of(first_leg(), "m2"))
    assert begun == Begun(Verdict.GATED)
    carrier = await side.store.begin(claim_of(first_leg(), "witness"))
    assert (carrier.verdict, carrier.carried) == (Verdict.GATED, (replace(FIRST_WISH, carrier="witness"),))


async def test_work_that_is_not_due_yet_waits_for_the_wish_too(side: Side) -> None:
    """It goes out, with its time, when the wish is granted; before, neither its carrier nor a sweep hands it on."""
    job = replace(a_job(), start_at_ms=NOW_MS + KEEP_SLOT_MS)
    later = loop_leg(JOB_ID, 1, 1, NOW_MS, job.start_at_ms)
    created = await side.store.create(creation(job, slot=False), "m1", NOW_MS)
    assert created.carried == (replace(FIRST_WISH, carrier="m1"),)
    looked = await side.store.look(JOB_ID, "m1", NOW_MS, LOST_AFTER_MS, entry(FIRST_LAP, "slot"))
    assert looked.lost == ()
    committed = await side.store.commit(wish_claim(FIRST_LAP, "m2"), Changes(admitted=True), SPENT)
    assert committed == Committed(True, (replace(later, carrier="m2"),))


async def test_later_work_of_a_job_that_wants_no_slot_yet_is_handed_on(side: Side) -> None:
    """Its message waits in the queue; the wish comes when it is due."""
    job = replace(a_job(), start_at_ms=NOW_MS + KEEP_SLOT_MS + 1)
    later = replace(loop_leg(JOB_ID, 1, 1, NOW_MS, job.start_at_ms), carrier="m1")
    assert (await side.store.create(creation(job, slot=False), "m1", NOW_MS)).carried == (later,)
    looked = await side.store.look(JOB_ID, "m1", NOW_MS, LOST_AFTER_MS, entry(0, "none"))
    assert looked.lost == (later,)


async def test_a_wish_is_granted_to_everybody_who_tells_it(side: Side) -> None:
    """It is no work, so nobody is kept from telling it again."""
    await waiting_job(side)
    for owner in ("o1", "o2"):
        begun = await side.store.begin(replace(wish_claim(FIRST_LAP, f"m-{owner}"), owner=owner))
        assert begun.verdict is Verdict.GRANTED
        assert begun.state is not None
        assert (begun.state.leg.carrier, begun.state.leg.owner) == (f"m-{owner}", owner)


async def test_an_admitted_job_has_its_slot_and_its_work_is_handed_on(side: Side) -> None:
    """By the message that told the wish."""
    await waiting_job(side)
    await side.store.begin(wish_claim(FIRST_LAP))
    committed = await side.store.commit(wish_claim(FIRST_LAP), Changes(admitted=True), SPENT)
    assert committed == Committed(True, (replace(first_leg(), carrier="m1"),))
    assert await standing_of(side) == Standing("slot", FIRST_LAP, slot=True)
    assert (await side.store.begin(claim_of(first_leg(), "m2"))).verdict is Verdict.GRANTED


async def test_a_wish_told_twice_is_granted_once(side: Side) -> None:
    """The second answer finds no wish and takes no leg away from who works on it."""
    await waiting_job(side)
    await side.store.commit(wish_claim(FIRST_LAP, "m1"), Changes(admitted=True), SPENT)
    await side.store.begin(claim_of(first_leg(), "m2", "o2"))
    assert await side.store.commit(wish_claim(FIRST_LAP, "m3"), Changes(admitted=True), SPENT) == Committed(
        applied=False
    )
    begun = await side.store.begin(claim_of(first_leg(), "m2", "o2"))
    assert begun.state is not None
    assert begun.state.leg.carrier == "m2"


async def test_taking_in_needs_no_slot_and_keeps_the_one_there_is(side: Side) -> None:
    """A job whose calls have all returned holds its slot until the last result is taken in."""
    legs = await fan_out(side, 1)
    await side.store.commit(claim_of(legs[0], "m2"), Changes(legs=(complete_leg(0),)), SPENT)
    assert await standing_of(side) == Standing("slot", FIRST_LAP, slot=True)


async def test_a_job_with_nothing_to_do_gives_its_slot_back(side: Side) -> None:
    """It says so with the message that did its last work."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    committed = await side.store.commit(claim_of(first_leg(), after_ms=7), Changes(), SPENT)
    assert committed.carried == (wish_of("none", "m1", NOW_MS + 7),)
    assert await standing_of(side) == Standing("none", NOW_MS + 7, slot=False)


@pytest.mark.parametrize(("delay_ms", "want"), [(KEEP_SLOT_MS, "slot"), (KEEP_SLOT_MS + 1, "none")])
async def test_a_job_that_only_waits_for_a_time_keeps_its_slot_for_a_minute(
    side: Side, delay_ms: int, want: Want
) -> None:
    """A longer wait gives it back; the timer itself is handed on in both cases, since it waits in the queue."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    later = loop_leg(JOB_ID, 1, 2, NOW_MS, NOW_MS + delay_ms)
    committed = await side.store.commit(claim_of(first_leg()), Changes(legs=(later,)), SPENT)
    wishes = () if want == "slot" else (wish_of(want, "m1"),)
    assert by_key(committed.carried) == by_key((replace(later, carrier="m1"), *wishes))
    assert (await standing_of(side)).want == want


@pytest.mark.parametrize("claimed", [True, False])
async def test_who_stood_still_does_not_take_the_slot_from_work_added_since(side: Side, *, claimed: bool) -> None:
    """Its time is that of long ago, when the work was not due for long, or not there yet."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    since_ms = NOW_MS if claimed else NOW_MS + 290_000
    later = loop_leg(JOB_ID, 1, 2, since_ms, NOW_MS + 300_000)
    await side.store.commit(claim_of(first_leg(), after_ms=since_ms - NOW_MS), Changes(legs=(later,)), SPENT)
    if claimed:
        await side.store.begin(claim_of(later, "m2", after_ms=300_000))  # gated: it wishes for a slot
        await side.store.commit(wish_claim(NOW_MS + 300_000, "m2", after_ms=300_001), Changes(admitted=True), SPENT)
        assert (await side.store.begin(claim_of(later, "m2", after_ms=300_002))).verdict is Verdict.GRANTED
    await side.store.tell(JOB_ID, "w1", OutsideFact("evt_1", "{}", event="paid"), NOW_MS)
    assert (await standing_of(side)).slot


async def test_a_timer_that_is_due_wishes_for_a_slot_when_its_message_comes(side: Side) -> None:
    """The message is the carrier of the wish; a second message adds none."""
    job = replace(a_job(), start_at_ms=NOW_MS + 100_000)
    await side.store.create(creation(job), "witness", NOW_MS)
    begun = await side.store.begin(claim_of(first_leg(), "m1", after_ms=100_000))
    wish = wish_of("slot", "m1", NOW_MS + 100_000)
    assert (begun.verdict, begun.carried) == (Verdict.GATED, (wish,))
    again = await side.store.begin(claim_of(first_leg(), "m2", after_ms=100_001))
    assert (again.verdict, again.carried) == (Verdict.GATED, ())


async def test_a_newer_wish_replaces_the_one_before(side: Side) -> None:
    """Its lap is a time, and larger in any case; the old wish finds nothing."""
    await waiting_job(side)
    await side.store.commit(wish_claim(FIRST_LAP, "m1"), Changes(admitted=True), SPENT)
    await side.store.commit(claim_of(first_leg(), "m2"), Changes(), SPENT)
    work = Changes(legs=(call_leg(0),))
    committed = await side.store.commit(wish_claim(NOW_MS, "m3"), replace(work, admitted=True), SPENT)
    wish = wish_of("slot", "m3", NOW_MS + 1)
    assert committed.carried == (replace(wish, since_ms=NOW_MS),)
    assert (await side.store.begin(wish_claim(NOW_MS, "m4"))).verdict is Verdict.APPLIED
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [leg.key for leg in snapshot.legs if leg.kind == "wish"] == [wish.key]


async def test_a_wish_that_the_admission_does_not_heed_is_wished_again(side: Side) -> None:
    """Above the lap that it knows: time itself may not have come so far. The same message tells it, once."""
    await waiting_job(side)
    later_lap = NOW_MS + 5
    committed = await side.store.commit(wish_claim(FIRST_LAP), Changes(later_lap=later_lap), SPENT)
    wish = replace(wish_of("slot", "m1", later_lap + 1), since_ms=NOW_MS)
    assert committed == Committed(True, (wish,))
    assert await standing_of(side) == Standing("slot", later_lap + 1, slot=False)
    again = await side.store.commit(wish_claim(FIRST_LAP, "m2"), Changes(later_lap=later_lap), SPENT)
    assert again == Committed(applied=False)


async def test_a_wish_above_a_word_of_long_ago_has_the_time_as_its_lap(side: Side) -> None:
    """As every wish."""
    await waiting_job(side)
    committed = await side.store.commit(wish_claim(FIRST_LAP, after_ms=9), Changes(later_lap=5), SPENT)
    assert committed.carried == (wish_of("slot", "m1", NOW_MS + 9),)


async def test_an_ended_job_says_that_it_is_gone(side: Side) -> None:
    """Whatever it wished before; once that was heard, nothing is left of its legs."""
    await waiting_job(side)
    ended = Changes(job=replace(a_job(), status=JobStatus.CANCELLED), ends=True)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    _, carried = await side.store.record(loaded, "m1", ended, NOW_MS)
    assert carried == (wish_of("gone", "m1"),)
    heard = await side.store.commit(wish_claim(NOW_MS, "m2"), Changes(admitted=True), SPENT)
    assert heard == Committed(applied=True)
    assert await standing_of(side) == Standing("gone", NOW_MS, slot=False)


def entry(lap: int, want: Want, *, slot: bool = False) -> Book:
    """The admission's book with the job's entry."""
    return {JOB_ID: Entry("tenant_a", "session_a", 5, NOW_MS, lap, want, slot)}


@pytest.mark.parametrize(
    "book",
    [{}, entry(FIRST_LAP, "none"), entry(FIRST_LAP, "slot"), entry(5, "gone"), entry(-1, "none")],
    ids=["unknown", "other", "no slot", "newer", "older"],
)
async def test_the_sweep_wishes_again_where_the_admission_knows_something_else(side: Side, book: Book) -> None:
    """Not before half a minute has passed since the last wish."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.begin(claim_of(first_leg(), after_ms=LOST_AFTER_MS))
    # The lap of a first wish is no time, so a minute has passed in any case.
    at_ms = NOW_MS + LOST_AFTER_MS
    looked = await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, book)
    assert looked.lost == (wish_of("slot", "sweep", at_ms),)
    assert await standing_of(side) == Standing("slot", at_ms, slot=False)
    soon = await side.store.look(JOB_ID, "sweep2", at_ms + LOST_AFTER_MS // 2, LOST_AFTER_MS, book)
    assert soon.lost == ()


async def test_the_sweep_leaves_a_job_alone_that_the_admission_knows(side: Side) -> None:
    """Its slot is the one in the book."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.begin(claim_of(first_leg(), after_ms=LOST_AFTER_MS))
    looked = await side.store.look(JOB_ID, "sweep", NOW_MS + LOST_AFTER_MS, LOST_AFTER_MS, book_of(JOB_ID))
    assert looked.lost == ()


async def test_the_sweep_leaves_a_wish_in_line_alone_and_work_behind_it(side: Side) -> None:
    """However long it waits: it is told when its turn has come."""
    await waiting_job(side)
    at_ms = NOW_MS + 100 * LOST_AFTER_MS
    looked = await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, entry(FIRST_LAP, "slot"))
    assert looked.lost == ()


async def test_the_sweep_tells_a_wish_again_that_nobody_heard(side: Side) -> None:
    """The same one, after half a minute: a newer one would lose the job its place."""
    await waiting_job(side)
    at_ms = NOW_MS + LOST_AFTER_MS // 2
    assert (await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, {})).lost == ()
    at_ms += 1
    looked = await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, {})
    assert looked.lost == (replace(FIRST_WISH, carrier="sweep", since_ms=at_ms),)


async def test_the_sweep_tells_a_wish_again_whose_slot_was_given_and_not_taken(side: Side) -> None:
    """Whoever was to be told so never was."""
    await waiting_job(side)
    at_ms = NOW_MS + LOST_AFTER_MS + 1
    looked = await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, entry(FIRST_LAP, "slot", slot=True))
    assert [leg.key for leg in looked.lost] == [FIRST_WISH.key]


async def test_the_sweep_does_not_wish_again_what_an_ended_job_has_told_lately(side: Side) -> None:
    """However old the wish is: the book may have been read before it was told."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    end = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    await side.store.commit(claim_of(first_leg()), end, SPENT)
    told_ms, half_ms = 10 * LOST_AFTER_MS, LOST_AFTER_MS // 2
    await side.store.commit(wish_claim(NOW_MS, after_ms=told_ms), Changes(admitted=True), SPENT)
    for after_ms in (told_ms - 1, told_ms + half_ms):
        looked = await side.store.look(JOB_ID, "sweep", NOW_MS + after_ms, LOST_AFTER_MS, book_of(JOB_ID))
        assert looked.lost == ()
    at_ms = NOW_MS + told_ms + half_ms + 1
    looked = await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, book_of(JOB_ID))
    assert looked.lost == (wish_of("gone", "sweep", at_ms),)


async def test_only_the_named_job_is_looked_at(side: Side) -> None:
    """Not one beside it, and nothing where it is not known."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    at_ms = NOW_MS + 10 * LOST_AFTER_MS
    assert (await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, {}, only=f"{JOB_ID}.below")).lost == ()
    assert (await side.store.look(JOB_ID, "sweep", at_ms, LOST_AFTER_MS, {}, only=JOB_ID)).lost != ()
