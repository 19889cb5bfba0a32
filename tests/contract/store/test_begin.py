"""CLAIM: load and claim; what it answers in each case, and what it leaves behind."""

from msgspec.structs import replace

from baton.engine.commit.answers import ClaimResult, Verdict
from baton.engine.effects import Changes
from baton.engine.state import BudgetScope, State
from baton.engine.work_items import WorkItem, loop_item
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    claim_of,
    creation,
    fan_out,
    first_item,
)
from tests.contract.store.side import Side


def claimed(item: WorkItem, message: str, owner: str, at_ms: int) -> WorkItem:
    """The work item under a claim."""
    return replace(item, relay_id=message, owner=owner, claimed_ms=at_ms, lease_until_ms=at_ms + LEASE_MS)


async def test_a_free_item_is_granted_with_the_state(side: Side) -> None:
    """The message is the work item's relay message from now on, and does not carry it besides."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim_result = await side.store.claim(claim_of(first_item()))
    assert (claim_result.verdict, claim_result.pending) == (Verdict.GRANTED, ())
    assert claim_result.state == State(
        a_job(), claimed(first_item(), "m1", "o1", NOW_MS), budget_scopes=(BudgetScope(a_job()),)
    )
    assert (
        await side.store.claim(replace(claim_of(first_item()), item_key="none", message_id="witness"))
    ).pending == ()


async def test_another_owner_finds_an_item_busy_until_its_lease_ends(side: Side) -> None:
    """It is told when to come again, and takes nothing."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    first = await side.store.claim(claim_of(first_item(), "m1", "o1"))
    busy = await side.store.claim(claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS - 1))
    assert busy == ClaimResult(Verdict.BUSY, free_at_ms=NOW_MS + LEASE_MS)
    again = await side.store.claim(claim_of(first_item(), "m1", "o1"))
    assert again.state == first.state


async def test_after_the_lease_another_owner_takes_over_and_becomes_relay_id(side: Side) -> None:
    """From the moment the lease ends; the first message carries it no longer."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    await side.store.claim(claim_of(first_item(), "m1", "o1"))
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
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    assert (await side.store.commit(claim_of(first_item(), "m1"), changes, SPENT)).applied
    history = (await side.store.claim(claim_of(loop_item(JOB_ID, 6, 1, NOW_MS), "m2"))).history
    assert [entry.get("turn") for entry in history.transcript] == [None, 4, 5]
    assert (history.results, history.compacted) == ({"c4": {"ok": 4}}, (1, 4))
