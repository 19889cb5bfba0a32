"""Claims that are prolonged or given back: only by who still holds them."""

from msgspec.structs import replace

from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.commit.answers import ClaimResult, Verdict
from baton.engine.work_items import CLOCK_ERROR_MS
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    table_of,
)
from tests.contract.store.side import Side

UNTIL_MS = NOW_MS + 3 * LEASE_MS


async def lease_of(side: Side, key: str) -> tuple[str, int]:
    """Who holds a work item, and until when."""
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    item = next(item for item in snapshot.items if item.key == key)
    return item.owner, item.lease_until_ms


async def test_who_holds_an_item_prolongs_its_claim(side: Side) -> None:
    """Several at once, never for less than it lasts."""
    await fan_out(side, 3)
    claims = [claim_of(call_item(place), "m1", f"o1.{place}") for place in range(2)]
    for claim in claims:
        await side.store.claim(claim)
    assert await side.store.renew(claims, UNTIL_MS) == []
    assert await side.store.renew(claims, NOW_MS) == []
    assert [await lease_of(side, claim.item_key) for claim in claims] == [("o1.0", UNTIL_MS), ("o1.1", UNTIL_MS)]
    busy = await side.store.claim(claim_of(call_item(0), "m2", "o2", after_ms=LEASE_MS))
    assert busy == ClaimResult(Verdict.BUSY, free_at_ms=UNTIL_MS)


async def test_a_late_prolongation_takes_nothing_back(side: Side) -> None:
    """Neither from who took over, nor of what was given back, nor of what is done or unknown."""
    await fan_out(side, 2)
    mine, given = claim_of(call_item(0), "m1", "o1"), claim_of(call_item(1), "m1", "o1")
    await side.store.claim(mine)
    await side.store.claim(given)
    await side.store.claim(claim_of(call_item(0), "m2", "o2", after_ms=LEASE_MS))
    await side.store.give_back(given, NOW_MS, begun=True)
    gone = replace(mine, item_key="call:none:1")
    assert await side.store.renew([mine, given, gone], UNTIL_MS) == [mine.item_key, given.item_key, gone.item_key]
    assert await lease_of(side, mine.item_key) == ("o2", NOW_MS + 2 * LEASE_MS)
    assert await lease_of(side, given.item_key) == ("", NOW_MS - CLOCK_ERROR_MS)
    assert await side.store.renew([claim_of(first_item("nobody"))], UNTIL_MS) == [first_item("nobody").key]


async def test_what_is_given_back_is_free_at_once_and_no_death(side: Side) -> None:
    """Of a turn that was begun, the model may have been called."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    found = list[tuple[int, int]]()
    for number, begun in enumerate((True, False, True)):
        claim = claim_of(first_item(), f"m{number}", f"o{number}")
        granted = await side.store.claim(claim)
        assert granted.verdict is Verdict.GRANTED
        assert granted.state is not None
        found.append((granted.state.item.lost, granted.state.item.abandoned))
        await side.store.give_back(claim, NOW_MS, begun=begun)
        await side.store.give_back(claim, NOW_MS, begun=begun)
    assert found == [(0, 0), (1, 0), (1, 0)]


async def test_a_claim_that_is_given_back_says_what_its_call_waits_for(side: Side) -> None:
    """Until it is claimed again."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim = claim_of(first_item(), "m1", "o1")
    await side.store.claim(claim)
    await side.store.give_back(replace(claim, limited_by="crm"), NOW_MS, begun=False)
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [item.limited_by for item in snapshot.items if item.key == claim.item_key] == ["crm"]
    granted = await side.store.claim(claim_of(first_item(), "m2", "o2"))
    assert granted.state is not None
    assert granted.state.item.limited_by == ""


async def test_a_call_that_comes_by_itself_is_not_redriven(side: Side) -> None:
    """Each sweep would bring one message more; the call is left to one once its own message has not come."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim = claim_of(first_item(), "m1", "o1")
    await side.store.claim(claim)
    comes_ms = NOW_MS + 10 * STALLED_AFTER_MS
    await side.store.give_back(replace(claim, limited_by="crm", comes_ms=comes_ms), NOW_MS, begun=False)
    for now_ms, redriven in ((comes_ms - 1, []), (comes_ms + STALLED_AFTER_MS + 1, [claim.item_key])):
        found = await side.store.reconcile(JOB_ID, f"sweep at {now_ms}", now_ms, STALLED_AFTER_MS, table_of(JOB_ID))
        assert [item.key for item in found.stalled] == redriven


async def test_only_its_owner_gives_a_claim_back(side: Side) -> None:
    """What comes late changes nothing."""
    await fan_out(side, 1)
    await side.store.claim(claim_of(call_item(0), "m1", "o1"))
    await side.store.give_back(claim_of(call_item(0), "m1", "o2"), NOW_MS, begun=True)
    assert await lease_of(side, call_item(0).key) == ("o1", NOW_MS + LEASE_MS)
