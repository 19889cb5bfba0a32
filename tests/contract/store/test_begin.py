"""CLAIM: load and claim; what it answers in each case, and what it leaves behind."""

from msgspec.structs import replace

from baton.engine.commit.answers import ClaimResult, History, Verdict
from baton.engine.effects import Changes
from baton.engine.state import BudgetScope, State
from baton.engine.work_items import WorkItem, loop_item
from baton.sdk.records import ModelPolicy
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    record_of,
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


async def test_a_tool_calls_item_comes_with_its_record(side: Side) -> None:
    """It is what the tool is run with."""
    await fan_out(side, 2)
    claim_result = await side.store.claim(claim_of(call_item(0), "m2"))
    assert claim_result.state is not None
    assert claim_result.state.call == record_of(call_item(0))


async def test_the_same_owner_is_granted_the_same_claim_again(side: Side) -> None:
    """A repeated command, even a late one, neither prolongs the lease nor is refused."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    first = await side.store.claim(claim_of(first_item()))
    again = await side.store.claim(claim_of(first_item(), after_ms=LEASE_MS + 1))
    assert again.verdict is Verdict.GRANTED
    assert again.state == first.state


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


async def test_each_takeover_counts_but_not_by_the_same_invocation(side: Side) -> None:
    """A claim of which nobody heard again has ended with its process; an invocation has several names."""
    items = await fan_out(side, 1, "m1")
    found = list[int]()
    for number, owner in enumerate(("o1", "o1.1", "o2", "o3", "o3")):
        claim_result = await side.store.claim(claim_of(items[0], "m1", owner, after_ms=number * LEASE_MS))
        assert claim_result.state is not None
        found.append(claim_result.state.item.abandoned)
    assert found == [0, 0, 1, 2, 2]


async def test_an_item_that_is_not_due_is_early_until_it_is(side: Side) -> None:
    """It is told when to come again; at that time it is granted."""
    job = replace(a_job(), start_at_ms=NOW_MS + 1_000)
    await side.store.create(creation(job), "witness", NOW_MS)
    early = await side.store.claim(claim_of(first_item(), "witness", after_ms=999))
    assert (early.verdict, early.free_at_ms, early.state) == (Verdict.EARLY, NOW_MS + 1_000, None)
    assert early.pending == ()  # its own work item is not dispatched besides: the message comes again
    assert (await side.store.claim(claim_of(first_item(), after_ms=1_000))).verdict is Verdict.GRANTED


async def test_an_item_that_is_gone_was_applied(side: Side) -> None:
    """The message learns what it still carries, and nothing else; who else has it may know that it is dispatched."""
    items = await fan_out(side, 2, "m1")
    claim_result = await side.store.claim(claim_of(first_item(), "m1"))
    assert (claim_result.verdict, claim_result.state) == (Verdict.APPLIED, None)
    assert by_key(claim_result.pending) == [replace(item, relay_id="m1", redelivered=True) for item in items]
    other = await side.store.claim(claim_of(first_item(), "m9"))
    assert other == ClaimResult(Verdict.APPLIED)


async def test_an_unknown_job_is_unknown_but_a_child_that_is_not_there_has_nothing_to_do(side: Side) -> None:
    """Whoever starts it does so again, after a failover that forgot it; a root has only its backup message."""
    assert await side.store.claim(claim_of(first_item())) == ClaimResult(Verdict.UNKNOWN)
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    assert (await side.store.claim(claim_of(first_item(f"{JOB_ID}.1")))).verdict is Verdict.APPLIED


async def test_pending_is_exactly_this_messages(side: Side) -> None:
    """Neither a sibling's, nor one that somebody else has claimed since."""
    items = await fan_out(side, 3, "m1")
    await side.store.claim(claim_of(items[1], "m2", "o2"))
    claim_result = await side.store.claim(claim_of(items[0], "m1", "o1"))
    assert claim_result.pending == (replace(items[2], relay_id="m1"),)
    claim_result = await side.store.claim(claim_of(items[2], "m3", "o3"))
    assert claim_result.pending == ()


async def test_a_message_id_that_begins_like_another_is_another(side: Side) -> None:
    """Ids are compared whole, with dots and dashes as they are."""
    await fan_out(side, 2, "m.1-a")
    for other in ("m.1-", "m.1-a.b", "mx1-a", "m.1-A"):
        assert (await side.store.claim(claim_of(first_item(), other))).pending == ()


async def test_only_a_turn_whose_model_reads_history_comes_with_it(side: Side) -> None:
    """The transcript in order, and every stored result."""
    items = await fan_out(side, 1, "m1")
    changes = Changes(
        transcript=('{"role":"model","turn":1,"text":"é/\\"","calls":[]}',),
        results={items[0].call_id: '{"ok":[1.5,null]}'},
        items=(loop_item(JOB_ID, 2, 1, NOW_MS),),
    )
    assert (await side.store.claim(claim_of(items[0], "m2"))).history == History()
    assert (await side.store.commit(claim_of(items[0], "m2"), changes, SPENT)).applied
    claim_result = await side.store.claim(claim_of(loop_item(JOB_ID, 2, 1, NOW_MS), "m3"))
    assert claim_result.history == History(
        transcript=(
            {"role": "user", "v": 1, "text": "do it", "data": {"a": None}},
            {"role": "model", "turn": 1, "text": 'é/"', "calls": []},
        ),
        results={items[0].call_id: {"ok": [1.5, None]}},
    )


async def test_what_is_told_no_more_is_not_loaded(side: Side) -> None:
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


async def test_a_model_that_does_not_read_history_is_not_given_it(side: Side) -> None:
    """So that its turns cost the same from first to last."""
    await side.store.create(creation(a_job(reads_history=False)), "witness", NOW_MS)
    assert (await side.store.claim(claim_of(first_item()))).history == History()


async def test_a_call_reads_history_where_its_job_says_so(side: Side) -> None:
    """All that was said, as its turn's work item has it."""
    job = replace(a_job(), model=ModelPolicy(calls_read_history=True))
    changes = Changes(
        transcript=('{"role":"model","turn":1,"text":"","calls":[]}',),
        calls=(record_of(call_item(0)),),
        items=(call_item(0),),
    )
    await side.store.create(creation(job), "witness", NOW_MS)
    assert (await side.store.commit(claim_of(first_item(), "m1"), changes, SPENT)).applied
    history = (await side.store.claim(claim_of(call_item(0), "m2"))).history
    assert [entry["role"] for entry in history.transcript] == ["user", "model"]
