"""Steps of a plan: each is due when no work item of a step before it is left, carried by whoever ended the last one."""

import json

from msgspec.structs import replace

from baton.engine.commit.answers import Verdict
from baton.engine.effects import Changes, Skip
from baton.engine.work_items import ItemKind, WorkItem
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    book_of,
    by_key,
    call_item,
    claim_of,
    complete_item,
    creation,
    first_item,
    next_turn,
    record_of,
)
from tests.contract.store.side import Side

FIRST, SECOND = call_item(0), call_item(1)
BOTH = replace(call_item(2), step="c", after=f"{FIRST.call_id},{SECOND.call_id}")
LAST = replace(call_item(3), step="d", after=BOTH.call_id)


async def planned(side: Side) -> None:
    """Two steps, one after both of them, and one after that."""
    items = (FIRST, SECOND, BOTH, LAST)
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    calls = tuple(replace(record_of(item), dependants=(LAST.call_id,) if item is BOTH else ()) for item in items)
    committed = await side.store.commit(claim_of(first_item(), "m1"), Changes(items=items, calls=calls), SPENT)
    assert [item.key for item in by_key(committed.pending)] == [FIRST.key, SECOND.key]


async def over(side: Side, item: WorkItem, message: str) -> tuple[WorkItem, ...]:
    """A step returns, and its result is taken in."""
    taken = replace(complete_item(item.position), after=item.after, step=item.step)
    changes = Changes(items=(taken,), results={item.call_id: f'{{"ok":{item.position}}}'})
    pending = (await side.store.commit(claim_of(item, f"{message}a"), changes, SPENT)).pending
    assert [item.key for item in pending] == [taken.key]
    return (await side.store.commit(claim_of(taken, message), Changes(join=next_turn()), SPENT)).pending


async def test_a_step_is_due_when_the_last_one_before_it_is_over(side: Side) -> None:
    """Not before; a message or a sweep that asks for it finds nothing to do."""
    await planned(side)
    assert await over(side, FIRST, "m2") == ()
    assert (await side.store.claim(claim_of(BOTH, "m9", after_ms=500_000))).verdict is Verdict.APPLIED
    looked = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 500_000, 60_000, book_of(JOB_ID))
    assert BOTH.key not in {item.key for item in looked.stalled}
    pending = await over(side, SECOND, "m3")
    assert [(item.key, item.relay_id) for item in pending] == [(BOTH.key, "m3")]
    assert [item.key for item in await over(side, BOTH, "m4")] == [LAST.key]
    assert [item.key for item in await over(side, LAST, "m5")] == [next_turn().item.key]


async def test_a_step_is_told_the_results_of_those_before_it(side: Side) -> None:
    """And of no others."""
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    claim_result = await side.store.claim(claim_of(BOTH, "m3", "o2"))
    assert claim_result.history.results == {FIRST.call_id: {"ok": 0}, SECOND.call_id: {"ok": 1}}
    assert claim_result.history.transcript == ()


async def test_the_first_claim_of_a_step_is_told_once(side: Side) -> None:
    """A second attempt of the same work item, after a crash, says nothing more."""
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    for number, owner in enumerate(("o2", "o3")):
        claim = claim_of(BOTH, "m3", owner, after_ms=500_000 * number)
        assert (await side.store.claim(claim)).verdict is Verdict.GRANTED
    said = (await side.reader.parts(JOB_ID, 1)).parts
    assert [json.loads(part)["type"] for part in said] == ["data-step-started"]


async def test_what_comes_after_a_step_that_failed_is_known_and_may_be_dropped(side: Side) -> None:
    """The next turn begins when nothing else is left."""
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    failed = replace(BOTH, key=BOTH.key.replace("call:", "failed:"), kind=ItemKind.FAILED)
    await side.store.commit(claim_of(BOTH, "m4"), Changes(items=(failed,)), SPENT)
    claim_result = await side.store.claim(claim_of(failed, "m5"))
    assert claim_result.state is not None
    assert [record.id for record in claim_result.state.dependants] == [LAST.call_id]
    skip = Skip(LAST.key, record_of(LAST), '{"error":{}}', ("skipped",))
    pending = (await side.store.commit(claim_of(failed, "m5"), Changes(skips=(skip,), join=next_turn()), SPENT)).pending
    assert [item.key for item in pending] == [next_turn().item.key]


async def test_a_step_is_skipped_once(side: Side) -> None:
    """Two steps before it fail at the same time: the second one finds its work item gone, and writes nothing of it."""
    await planned(side)
    for number, item in enumerate((FIRST, SECOND)):
        skip = Skip(BOTH.key, record_of(BOTH), f'{{"error":{{"number":{number}}}}}', (f"skipped {number}",))
        assert (await side.store.commit(claim_of(item, f"m{number}"), Changes(skips=(skip,)), SPENT)).applied
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.results == {BOTH.call_id: {"error": {"number": 0}}}
    assert (await side.reader.parts(JOB_ID, 1)).parts == ("skipped 0",)


async def test_a_job_whose_steps_all_wait_wants_no_slot(side: Side) -> None:
    """While the only step that could go on waits for a time."""
    await planned(side)
    later = replace(FIRST, key=FIRST.key.replace(":1", ":2"), attempt=2, not_before_ms=NOW_MS + 3_600_000)
    await over(side, SECOND, "m3")
    await side.store.commit(claim_of(FIRST, "m6"), Changes(items=(later,)), SPENT)
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.slot_state.want == "none"


async def test_a_step_that_waits_again_is_not_done(side: Side) -> None:
    """A failover brought a step before it back while it ran: what it did does not count, and it runs again later."""
    await planned(side)
    assert not (await side.store.commit(claim_of(BOTH, "m2"), Changes(results={BOTH.call_id: "{}"}), SPENT)).applied
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert (snapshot.results, BOTH.key in {item.key for item in snapshot.items}) == ({}, True)


async def test_a_step_that_has_begun_waits_for_none_before_it(side: Side) -> None:
    """A failover brought a step before it back: what it does next is carried by its own message all the same."""
    await planned(side)
    await over(side, FIRST, "m3")
    await over(side, SECOND, "m4")
    waiting = replace(BOTH, key=BOTH.key.replace("call:", "wait:"), kind=ItemKind.WAIT, not_before_ms=NOW_MS + 5)
    pending = (await side.store.commit(claim_of(BOTH, "m2"), Changes(items=(FIRST, waiting)), SPENT)).pending
    assert waiting.key in {item.key for item in pending if item.relay_id == "m2"}
    assert (await side.store.claim(claim_of(waiting, "m5", after_ms=6))).verdict is Verdict.GRANTED
