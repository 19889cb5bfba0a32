"""UNDELIVERED: the queue gave up on a message; counted once for each callback."""

from msgspec.structs import replace

from baton.engine.commit.answers import Undelivered
from baton.engine.effects import Changes
from tests.contract.store.sample import (
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    record_of,
)
from tests.contract.store.side import Side


async def test_a_callback_counts_once_however_often_it_comes(side: Side) -> None:
    """And whatever came in between; the callback of another failure counts again."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    counts = []
    for callback in ("cb1", "cb1", "cb2", "cb1", "cb2", "cb3"):
        found = await side.store.undelivered(claim_of(first_item(), callback), "m1")
        assert found.state is not None
        counts.append(found.state.item.undelivered)
    assert counts == [1, 1, 2, 2, 2, 3]


async def test_an_endpoint_without_a_place_spends_no_budget(side: Side) -> None:
    """Its work item was redriven, once for each callback."""
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    found = []
    for n, (callback, throttled) in enumerate((("cb1", True), ("cb1", True), ("cb2", False), ("cb3", True))):
        claim = replace(claim_of(first_item(), callback), now_ms=NOW_MS + n)
        state = (await side.store.undelivered(claim, "m1", throttled=throttled)).state
        assert state is not None
        found.append((state.item.redriven, state.item.undelivered))
    assert found == [(1, 0), (1, 0), (1, 1), (2, 1)]


async def test_the_item_stays_as_it_was_but_for_the_count(side: Side) -> None:
    """Claim and relay message are not the callback's; who holds it may know that its event is published anew."""
    items = await fan_out(side, 1)
    claim_result = await side.store.claim(claim_of(items[0], "m2", "o2"))
    found = await side.store.undelivered(claim_of(items[0], "cb1"), "m2")
    assert found.state is not None
    assert claim_result.state is not None
    assert found.state.item.counted
    assert replace(found.state.item, counted="") == replace(claim_result.state.item, undelivered=1, redelivered=True)
    assert (found.state.job, found.state.call, found.session_id) == (a_job(), record_of(items[0]), "session_a")


async def test_it_tells_what_the_source_message_pending_besides(side: Side) -> None:
    """Not the work item that it was about: that one comes with the state."""
    items = await fan_out(side, 3, "m1")
    found = await side.store.undelivered(claim_of(items[0], "cb1"), "m1")
    assert by_key(found.pending) == [replace(item, relay_id="m1") for item in items[1:]]


async def test_an_item_that_was_done_meanwhile_is_not_counted(side: Side) -> None:
    """The source message's other work items are told all the same."""
    items = await fan_out(side, 2, "m1")
    await side.store.commit(claim_of(items[0], "m2"), Changes(), SPENT)
    found = await side.store.undelivered(claim_of(items[0], "cb1"), "m1")
    assert found == Undelivered(None, (replace(items[1], relay_id="m1"),), "session_a")


async def test_an_unknown_job_has_nothing(side: Side) -> None:
    """Its backup message will tell."""
    assert await side.store.undelivered(claim_of(first_item(), "cb1"), "m1") == Undelivered(None)


async def test_progress_makes_a_new_item_whose_count_begins_again(side: Side) -> None:
    """The budget is measured in progress."""
    items = await fan_out(side, 1)
    await side.store.undelivered(claim_of(items[0], "cb1"), "m1")
    await side.store.commit(claim_of(items[0], "m2"), Changes(items=(complete_item(0),)), SPENT)
    found = await side.store.undelivered(claim_of(complete_item(0), "cb2"), "m2")
    assert found.state is not None
    assert found.state.item.undelivered == 1
