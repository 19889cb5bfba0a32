"""Steps of a plan: each is due when no work item of a step before it is left, carried by whoever ended the last one."""

import json

from msgspec.structs import replace

from baton.engine.commit.answers import Verdict
from baton.engine.effects import Changes, Skip
from baton.engine.work_items import WorkItem
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    by_key,
    call_item,
    claim_of,
    complete_item,
    creation,
    first_item,
    next_turn,
    record_of,
    table_of,
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
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 500_000, 60_000, table_of(JOB_ID))
    assert BOTH.key not in {item.key for item in reconciled.stalled}
    pending = await over(side, SECOND, "m3")
    assert [(item.key, item.relay_id) for item in pending] == [(BOTH.key, "m3")]
    assert [item.key for item in await over(side, BOTH, "m4")] == [LAST.key]
    assert [item.key for item in await over(side, LAST, "m5")] == [next_turn().item.key]


async def test_a_step_is_given_the_results_of_those_before_it(side: Side) -> None:
    """And of no others."""
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    claim_result = await side.store.claim(claim_of(BOTH, "m3", "o2"))
    assert claim_result.history.results == {FIRST.call_id: {"ok": 0}, SECOND.call_id: {"ok": 1}}
    assert claim_result.history.transcript == ()


async def test_the_first_claim_of_a_step_is_recorded_once(side: Side) -> None:
    """A second attempt of the same work item, after a crash, says nothing more."""
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    for number, owner in enumerate(("o2", "o3")):
        claim = claim_of(BOTH, "m3", owner, after_ms=500_000 * number)
        assert (await side.store.claim(claim)).verdict is Verdict.GRANTED
    shown = (await side.reader.parts(JOB_ID, 1)).parts
    assert [json.loads(part)["type"] for part in shown] == ["data-step-started"]


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
