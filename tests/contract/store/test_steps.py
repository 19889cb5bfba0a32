"""Steps of a plan, and turns: due once no work item before them is left, carried by whoever ended the last one."""

import json

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Verdict
from baton.engine.effects import Changes, Skip
from baton.engine.work_items import ItemKind, WorkItem, following
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
    fan_out,
    first_item,
    job_of,
    next_turn,
    record_of,
    table_of,
    take_in,
)
from tests.contract.store.side import Side

FIRST, SECOND = call_item(0), call_item(1)
BOTH = replace(call_item(2), step="c", after=f"{FIRST.call_id},{SECOND.call_id}")
LAST = replace(call_item(3), step="d", after=BOTH.call_id)


async def planned(side: Side) -> None:
    items = (FIRST, SECOND, BOTH, LAST)
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    calls = tuple(replace(record_of(item), dependants=(LAST.call_id,) if item is BOTH else ()) for item in items)
    committed = await side.store.commit(claim_of(first_item(), "m1"), Changes(items=items, calls=calls), SPENT)
    assert [item.key for item in by_key(committed.pending)] == [FIRST.key, SECOND.key]


async def over(side: Side, item: WorkItem, message: str) -> tuple[WorkItem, ...]:
    taken = replace(complete_item(item.position), after=item.after, step=item.step)
    changes = Changes(items=(taken,), results={item.call_id: f'{{"ok":{item.position}}}'})
    pending = (await side.store.commit(claim_of(item, f"{message}a"), changes, SPENT)).pending
    assert [item.key for item in pending] == [taken.key]
    return (await side.store.commit(claim_of(taken, message), Changes(join=next_turn()), SPENT)).pending


async def test_a_step_is_due_when_the_last_one_before_it_is_over(side: Side) -> None:
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
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    claim_result = await side.store.claim(claim_of(BOTH, "m3", "o2"))
    assert claim_result.history.results == {FIRST.call_id: {"ok": 0}, SECOND.call_id: {"ok": 1}}
    assert claim_result.history.transcript == ()


async def test_the_first_claim_of_a_step_is_recorded_once(side: Side) -> None:
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
    assert (await job_of(side)).results == {BOTH.call_id: {"error": {"number": 0}}}
    assert (await side.reader.parts(JOB_ID, 1)).parts == ("skipped 0",)


JOINED = Changes(join=next_turn())


async def committed_in_order(side: Side, order: list[int]) -> None:
    """Take the results in, in this order: only the last one starts the next turn."""
    for position in order[:-1]:
        committed = await side.store.commit(claim_of(complete_item(position), f"m{position}"), JOINED, SPENT)
        assert committed == Committed(applied=True), f"after {position} of {order}"
    last = order[-1]
    committed = await side.store.commit(claim_of(complete_item(last), f"m{last}"), JOINED, SPENT)
    assert committed == Committed(True, (replace(next_turn().item, relay_id=f"m{last}"),))
    assert (await job_of(side)).items == committed.pending


@pytest.mark.parametrize("order", [[0], [0, 1], [1, 0], [0, 2, 1], [2, 0, 1]], ids=str)
async def test_the_last_of_few_joins_whatever_the_order(side: Side, order: list[int]) -> None:
    await take_in(side, await fan_out(side, len(order)))
    await committed_in_order(side, order)


async def test_two_that_both_began_before_either_committed_join_once(side: Side) -> None:
    """How many are open is read when the commit is applied, not when the work item was begun."""
    await take_in(side, await fan_out(side, 2))
    for position in (0, 1):
        await side.store.claim(claim_of(complete_item(position), f"m{position}", f"o{position}"))
    first = await side.store.commit(claim_of(complete_item(0), "m0", "o0"), JOINED, SPENT)
    second = await side.store.commit(claim_of(complete_item(1), "m1", "o1"), JOINED, SPENT)
    assert first == Committed(applied=True)
    assert second == Committed(True, (replace(next_turn().item, relay_id="m1"),))


@pytest.mark.parametrize("kind", [ItemKind.CALL, ItemKind.FAILED])
async def test_a_sibling_in_any_stage_holds_the_join_back(side: Side, kind: ItemKind) -> None:
    """One that still runs, and one whose failure is to be taken in; also one that waits for its next attempt."""
    items = await fan_out(side, 2)
    await take_in(side, items[:1])
    waiting = following(call_item(1), kind, NOW_MS, attempt=2, not_before_ms=NOW_MS + 60_000)
    await side.store.commit(claim_of(items[1], "m2"), Changes(items=(waiting,)), SPENT)
    assert await side.store.commit(claim_of(complete_item(0), "m3"), JOINED, SPENT) == Committed(applied=True)
    last = await side.store.commit(claim_of(waiting, "m4"), JOINED, SPENT)
    assert [item.key for item in last.pending] == [next_turn().item.key]
