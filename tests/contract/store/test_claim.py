"""CLAIM: what it answers and what it leaves behind; claims are prolonged or given back only by who holds them."""

from msgspec.structs import replace

from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.commit.answers import ClaimResult, Verdict
from baton.engine.effects import Changes
from baton.engine.state import BudgetScope, State
from baton.engine.work_items import CLOCK_ERROR_MS, WorkItem, loop_item
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
    job_of,
    record_of,
    state_of,
    table_of,
)
from tests.contract.store.side import Side

UNTIL_MS = NOW_MS + 3 * LEASE_MS
MINE = claim_of(first_item())


async def created(side: Side) -> None:
    await side.store.create(creation(a_job()), "witness", NOW_MS)


def claimed(item: WorkItem, message: str, owner: str, at_ms: int) -> WorkItem:
    return replace(item, relay_id=message, owner=owner, claimed_ms=at_ms, lease_until_ms=at_ms + LEASE_MS)


async def test_a_free_item_is_granted_with_the_state(side: Side) -> None:
    """The message is the work item's relay message from now on, and does not carry it besides."""
    await created(side)
    claim_result = await side.store.claim(MINE)
    assert (claim_result.verdict, claim_result.pending) == (Verdict.GRANTED, ())
    held = claimed(first_item(), "m1", "o1", NOW_MS)
    assert claim_result.state == State(a_job(), held, budget_scopes=(BudgetScope(a_job()),))
    assert (await side.store.claim(replace(MINE, item_key="none", message_id="witness"))).pending == ()


async def test_another_owner_finds_an_item_busy_until_its_lease_ends_and_then_takes_over(side: Side) -> None:
    """From the moment the lease ends; the first message carries it no longer."""
    await created(side)
    first = await side.store.claim(MINE)
    busy = await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS - 1))
    assert busy == ClaimResult(Verdict.BUSY, free_at_ms=NOW_MS + LEASE_MS)
    assert (await side.store.claim(MINE)).state == first.state
    taken = await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS))
    again = replace(claimed(first_item(), "m2", "o2", NOW_MS + LEASE_MS), lost=1, abandoned=1)
    assert taken.state == State(a_job(), again, budget_scopes=(BudgetScope(a_job()),))
    late = await side.store.claim(claim_of(first_item(), "m1", "o1", after_ms=LEASE_MS))
    assert (late.verdict, late.free_at_ms, late.pending) == (Verdict.BUSY, NOW_MS + 2 * LEASE_MS, ())


async def test_a_message_id_that_begins_like_another_is_another(side: Side) -> None:
    """Ids are compared whole, with dots and dashes as they are."""
    await fan_out(side, 2, "m.1-a")
    for other in ("m.1-", "m.1-a.b", "mx1-a", "m.1-A"):
        assert (await side.store.claim(claim_of(first_item(), other))).pending == ()


async def test_compacted_entries_are_not_loaded(side: Side) -> None:
    """Neither entries nor the results of their calls; what only looks like a call has no result."""
    streamed_text = [
        f'{{"calls":[{{"arguments":{{"id":"{JOB_ID}-9-9-a"}},"id":"c{n}","tool":"t"}}],"role":"model","turn":{n}}}'
        for n in range(1, 6)
    ]
    changes = Changes(
        job=replace(a_job(), compacted=(1, 4)),
        transcript=tuple(streamed_text),
        results={f"c{n}": f'{{"ok":{n}}}' for n in range(1, 5)},
        items=(loop_item(JOB_ID, 6, 1, NOW_MS),),
    )
    await created(side)
    assert (await side.store.commit(MINE, changes)).applied
    history = (await side.store.claim(claim_of(loop_item(JOB_ID, 6, 1, NOW_MS), "m2"))).history
    assert [entry.get("turn") for entry in history.transcript] == [None, 4, 5]
    assert (history.results, history.compacted) == ({"c4": {"ok": 4}}, (1, 4))


async def lease_of(side: Side, key: str) -> tuple[str, int]:
    item = next(item for item in (await job_of(side)).items if item.key == key)
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
    await created(side)
    found = list[tuple[int, int]]()
    for number, begun in enumerate((True, False, True)):
        claim = claim_of(first_item(), f"m{number}", f"o{number}")
        item = (await state_of(side.store, claim)).item
        found.append((item.lost, item.abandoned))
        for _ in range(2):
            await side.store.give_back(claim, NOW_MS, begun=begun)
    assert found == [(0, 0), (1, 0), (1, 0)]


async def test_a_claim_that_is_given_back_says_what_its_call_waits_for(side: Side) -> None:
    """Until it is claimed again."""
    await created(side)
    await side.store.claim(MINE)
    await side.store.give_back(replace(MINE, limited_by="crm"), NOW_MS, begun=False)
    assert [item.limited_by for item in (await job_of(side)).items if item.key == MINE.item_key] == ["crm"]
    assert (await state_of(side.store, claim_of(first_item(), "m2", "o2"))).item.limited_by == ""


async def test_a_call_that_comes_by_itself_is_not_replayed(side: Side) -> None:
    """Each sweep would bring one message more; the call is left to one once its own message has not come."""
    await created(side)
    await side.store.claim(MINE)
    comes_ms = NOW_MS + 10 * STALLED_AFTER_MS
    await side.store.give_back(replace(MINE, limited_by="crm", comes_ms=comes_ms), NOW_MS, begun=False)
    for now_ms, replayed in ((comes_ms - 1, []), (comes_ms + STALLED_AFTER_MS + 1, [MINE.item_key])):
        found = await side.store.reconcile(JOB_ID, f"sweep at {now_ms}", now_ms, STALLED_AFTER_MS, table_of(JOB_ID))
        assert [item.key for item in found.stalled] == replayed


async def test_a_call_that_waits_for_its_budget_may_come_before_its_time(side: Side) -> None:
    """Somebody may have raised it. Its job has no slot any more, and asks for one."""
    await created(side)
    state = await state_of(side.store, MINE)
    waits = replace(first_item(), since_ms=NOW_MS + 1, not_before_ms=NOW_MS + 86_400_000, limited_by="budget 'k'")
    await side.store.commit(MINE, Changes(job=state.job, items=(waits,)))
    early = claim_of(waits, "m2", "o2", after_ms=1_000)
    assert (await side.store.claim(early)).verdict is Verdict.GATED
    (slot,) = [item for item in (await job_of(side)).items if item.want == "slot"]
    assert slot.relay_id == "m2"


async def test_a_claim_that_comes_late_leaves_the_time_of_a_call_that_comes_by_itself(side: Side) -> None:
    """It was sent before the call was due, and has stood still; the call has begun to wait for a limit meanwhile."""
    again = replace(call_item(0), not_before_ms=NOW_MS + 1, since_ms=NOW_MS + 60_000, limited_by="limit 'crm'")
    await side.store.create(creation(a_job()), "m1", NOW_MS)
    await side.store.commit(claim_of(first_item(), "m1"), Changes(items=(again,), calls=(record_of(again),)))
    assert (await side.store.claim(claim_of(again, "m2"))).verdict is Verdict.EARLY
    (item,) = (await job_of(side)).items
    assert (item.since_ms, item.not_before_ms) == (NOW_MS + 60_000, NOW_MS + 1)


async def test_only_its_owner_gives_a_claim_back(side: Side) -> None:
    await fan_out(side, 1)
    await side.store.claim(claim_of(call_item(0), "m1", "o1"))
    await side.store.give_back(claim_of(call_item(0), "m1", "o2"), NOW_MS, begun=True)
    assert await lease_of(side, call_item(0).key) == ("o1", NOW_MS + LEASE_MS)
