"""UNDELIVERED: the queue gave up on a message; counted once for each callback."""

from msgspec.structs import replace

from baton.core.effects import Changes
from baton.ports import Undelivered
from tests.contract.store.sample import (
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    claim_of,
    complete_leg,
    creation,
    fan_out,
    first_leg,
    record_of,
)
from tests.contract.store.side import Side


async def test_a_callback_counts_once_however_often_it_comes(side: Side) -> None:
    """And whatever came in between; the callback of another failure counts again."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    counts = []
    for callback in ("cb1", "cb1", "cb2", "cb1", "cb2", "cb3"):
        found = await side.store.undelivered(claim_of(first_leg(), callback), "m1")
        assert found.state is not None
        counts.append(found.state.leg.undelivered)
    assert counts == [1, 1, 2, 2, 2, 3]


async def test_an_endpoint_without_a_place_spends_no_budget(side: Side) -> None:
    """Its leg was driven anew, once for each callback."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    found = []
    for n, (callback, throttled) in enumerate((("cb1", True), ("cb1", True), ("cb2", False), ("cb3", True))):
        claim = replace(claim_of(first_leg(), callback), now_ms=NOW_MS + n)
        state = (await side.store.undelivered(claim, "m1", throttled=throttled)).state
        assert state is not None
        found.append((state.leg.driven, state.leg.undelivered))
    assert found == [(1, 0), (1, 0), (1, 1), (2, 1)]


async def test_the_leg_stays_as_it_was_but_for_the_count(side: Side) -> None:
    """Claim and carrier are not the callback's; who holds it may know that its event is published anew."""
    legs = await fan_out(side, 1)
    begun = await side.store.begin(claim_of(legs[0], "m2", "o2"))
    found = await side.store.undelivered(claim_of(legs[0], "cb1"), "m2")
    assert found.state is not None
    assert begun.state is not None
    assert found.state.leg.counted
    assert replace(found.state.leg, counted="") == replace(begun.state.leg, undelivered=1, handed_on=True)
    assert (found.state.job, found.state.call, found.session_id) == (a_job(), record_of(legs[0]), "session_a")


async def test_it_tells_what_the_source_message_carried_besides(side: Side) -> None:
    """Not the leg that it was about: that one comes with the state."""
    legs = await fan_out(side, 3, "m1")
    found = await side.store.undelivered(claim_of(legs[0], "cb1"), "m1")
    assert by_key(found.carried) == [replace(leg, carrier="m1") for leg in legs[1:]]


async def test_a_leg_that_was_done_meanwhile_is_not_counted(side: Side) -> None:
    """The source message's other legs are told all the same."""
    legs = await fan_out(side, 2, "m1")
    await side.store.commit(claim_of(legs[0], "m2"), Changes(), SPENT)
    found = await side.store.undelivered(claim_of(legs[0], "cb1"), "m1")
    assert found == Undelivered(None, (replace(legs[1], carrier="m1"),), "session_a")


async def test_an_unknown_job_has_nothing(side: Side) -> None:
    """Its witness will tell."""
    assert await side.store.undelivered(claim_of(first_leg(), "cb1"), "m1") == Undelivered(None)


async def test_progress_makes_a_new_leg_whose_count_begins_again(side: Side) -> None:
    """The budget is measured in progress."""
    legs = await fan_out(side, 1)
    await side.store.undelivered(claim_of(legs[0], "cb1"), "m1")
    await side.store.commit(claim_of(legs[0], "m2"), Changes(legs=(complete_leg(0),)), SPENT)
    found = await side.store.undelivered(claim_of(complete_leg(0), "cb2"), "m2")
    assert found.state is not None
    assert found.state.leg.undelivered == 1
