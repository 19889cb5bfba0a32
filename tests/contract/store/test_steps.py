"""What follows what: steps and turns are due once no work item before them is left; children report to parents."""

import json

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Verdict
from baton.engine.effects import Changes, Report, Skip
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following
from baton.sdk.records.limits import Spend
from baton.sdk.records.transcript import FOREVER_MS
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    by_key,
    call_item,
    claim_of,
    complete_item,
    creation,
    fan_out,
    first_item,
    job_of,
    loaded_of,
    next_turn,
    record_of,
    slot_request_of,
    state_of,
    table_of,
    take_in,
)
from tests.contract.store.side import Side
from tests.contract.store.test_signals import outcome_of, wait_item

FIRST, SECOND = call_item(0), call_item(1)
BOTH = replace(call_item(2), step="c", after=f"{FIRST.call_id},{SECOND.call_id}")
LAST = replace(call_item(3), step="d", after=BOTH.call_id)


async def planned(side: Side) -> None:
    items = (FIRST, SECOND, BOTH, LAST)
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    calls = tuple(replace(record_of(item), dependants=(LAST.call_id,) if item is BOTH else ()) for item in items)
    committed = await side.store.commit(claim_of(first_item(), "m1"), Changes(items=items, calls=calls))
    assert [item.key for item in by_key(committed.pending)] == [FIRST.key, SECOND.key]


async def over(side: Side, item: WorkItem, message: str) -> tuple[WorkItem, ...]:
    taken = replace(complete_item(item.position), after=item.after, step=item.step)
    changes = Changes(items=(taken,), results={item.call_id: f'{{"ok":{item.position}}}'})
    pending = (await side.store.commit(claim_of(item, f"{message}a"), changes)).pending
    assert [item.key for item in pending] == [taken.key]
    return (await side.store.commit(claim_of(taken, message), Changes(join=next_turn()))).pending


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


async def test_a_step_counts_with_the_calls_before_it_alone(side: Side) -> None:
    """A failover forgot a plan that was made otherwise then; a step of the same id ran with a result of that one."""
    await planned(side)
    await over(side, FIRST, "m2")
    await over(side, SECOND, "m3")
    now = replace(record_of(BOTH), step="c", after={"a": FIRST.call_id, "b": SECOND.call_id}, attempts=1)
    for record, counts in ((replace(now, after=now.after | {"a": "forgotten"}), False), (now, True)):
        changes = Changes(items=(following(BOTH, ItemKind.FAILED, NOW_MS),), calls=(record,))
        committed = await side.store.commit(claim_of(BOTH, "m4", after_ms=500_000), changes)
        assert committed.applied is counts
        assert (now in (await job_of(side)).calls) is counts


async def test_a_step_is_skipped_once(side: Side) -> None:
    """Two steps before it fail at the same time: the second one finds its work item gone, and writes nothing of it."""
    await planned(side)
    for number, item in enumerate((FIRST, SECOND)):
        skip = Skip(BOTH.key, record_of(BOTH), f'{{"error":{{"number":{number}}}}}', (f"skipped {number}",))
        assert (await side.store.commit(claim_of(item, f"m{number}"), Changes(skips=(skip,)))).applied
    assert (await job_of(side)).results == {BOTH.call_id: {"error": {"number": 0}}}
    assert (await side.reader.parts(JOB_ID, 1)).parts == ("skipped 0",)


JOINED = Changes(join=next_turn())


async def committed_in_order(side: Side, order: list[int]) -> None:
    """Take the results in, in this order: only the last one starts the next turn."""
    for position in order[:-1]:
        committed = await side.store.commit(claim_of(complete_item(position), f"m{position}"), JOINED)
        assert committed == Committed(applied=True), f"after {position} of {order}"
    last = order[-1]
    committed = await side.store.commit(claim_of(complete_item(last), f"m{last}"), JOINED)
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
    first = await side.store.commit(claim_of(complete_item(0), "m0", "o0"), JOINED)
    second = await side.store.commit(claim_of(complete_item(1), "m1", "o1"), JOINED)
    assert first == Committed(applied=True)
    assert second == Committed(True, (replace(next_turn().item, relay_id="m1"),))


@pytest.mark.parametrize("kind", [ItemKind.CALL, ItemKind.FAILED])
async def test_a_sibling_in_any_stage_holds_the_join_back(side: Side, kind: ItemKind) -> None:
    """One that still runs, and one whose failure is to be taken in; also one that waits for its next attempt."""
    items = await fan_out(side, 2)
    await take_in(side, items[:1])
    waiting = following(call_item(1), kind, NOW_MS, attempt=2, not_before_ms=NOW_MS + 60_000)
    await side.store.commit(claim_of(items[1], "m2"), Changes(items=(waiting,)))
    assert await side.store.commit(claim_of(complete_item(0), "m3"), JOINED) == Committed(applied=True)
    last = await side.store.commit(claim_of(waiting, "m4"), JOINED)
    assert [item.key for item in last.pending] == [next_turn().item.key]


CHILD, OTHER = f"{JOB_ID}.aaaaaaaaaa", f"{JOB_ID}.bbbbbbbbbb"
GRANDCHILD = f"{CHILD}.bbbbbbbbbb"
ANSWER = '{"ok":"the answer"}'


async def started(side: Side) -> None:
    (call,) = await fan_out(side, 1)
    changes = Changes(items=(wait_item(0, until_ms=FOREVER_MS),), child=creation(a_job(CHILD), slot=False))
    assert (await side.store.commit(claim_of(call, "m2"), changes)).applied


async def ended(side: Side, job_id: str, message: str, report: Report | None = None) -> None:
    loaded = await loaded_of(side, job_id)
    done = replace(loaded.job, status=JobStatus.COMPLETED, result={"answer": "the answer"})
    changes = Changes(job=done, ends=True, report=report, closing=('{"type":"abort"}',))
    assert (await side.store.record(loaded, message, changes, NOW_MS + 5))[0] == "committed"


async def test_a_child_is_created_with_its_stream_and_its_slot_request(side: Side) -> None:
    await started(side)
    pending = (await side.store.claim(claim_of(call_item(0), "m2"))).pending
    assert [(item.job_id, item.kind) for item in by_key(pending)] == [
        (CHILD, ItemKind.SLOT_REQUEST),
        (JOB_ID, ItemKind.SLOT_REQUEST),
    ]
    snapshot = await job_of(side, CHILD)
    assert (snapshot.job, snapshot.task["text"]) == (creation(a_job(CHILD)).job, "do it")
    assert [item.kind for item in snapshot.items] == [ItemKind.LOOP, ItemKind.SLOT_REQUEST]
    assert len((await side.reader.parts(CHILD, 0)).parts) == 1


async def test_the_end_of_a_child_wakes_the_call_that_started_it(side: Side) -> None:
    await started(side)
    await ended(side, CHILD, "m3", Report(call_item(0).call_id, ANSWER))
    claim_result = await side.store.claim(claim_of(wait_item(0), "m3", after_ms=6))
    assert claim_result.state is not None
    assert (claim_result.state.job.id, claim_result.state.outcome) == (JOB_ID, ANSWER)
    assert claim_result.pending == (slot_request_of("gone", "m3", NOW_MS + 5, CHILD),)


async def test_the_end_of_a_child_replaces_no_outcome_that_came_before(side: Side) -> None:
    await started(side)
    await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    await ended(side, CHILD, "m3", Report(call_item(0).call_id, ANSWER))
    assert (await state_of(side.store, claim_of(wait_item(0), "m3", after_ms=6))).outcome == '{"ok":7}'


async def test_the_end_of_a_parent_is_the_end_of_all_below_it(side: Side) -> None:
    """Their items go, their streams get last parts, their slots are given back; what they say later is dropped."""
    await started(side)
    below = Changes(items=(wait_item(0, until_ms=FOREVER_MS),), child=creation(a_job(GRANDCHILD), slot=False))
    await side.store.record(await loaded_of(side, CHILD), "m4", replace(below, items=()), NOW_MS + 1)
    await ended(side, JOB_ID, "m5")
    for name in (CHILD, GRANDCHILD):
        snapshot = await job_of(side, name)
        assert (snapshot.job.status, snapshot.job.finished_at_ms) == (JobStatus.CANCELLED, NOW_MS + 5)
        assert snapshot.job.error is not None
        assert snapshot.job.error.message == "the job that started it has ended"
        assert [(item.kind, item.want) for item in snapshot.items] == [(ItemKind.SLOT_REQUEST, "gone")]
        assert (await side.reader.parts(name, 0)).parts[-1] == '{"type":"abort"}'
        assert not (await side.store.commit(claim_of(first_item(name), "m6"), Changes())).applied


async def two_children(side: Side) -> None:
    for call, name in zip(await fan_out(side, 2), (CHILD, OTHER), strict=True):
        changes = Changes(items=(wait_item(call.position, until_ms=FOREVER_MS),), child=creation(a_job(name)))
        assert (await side.store.commit(claim_of(call, f"m{name}"), changes)).applied


async def test_what_children_use_is_summed_above_them(side: Side) -> None:
    await two_children(side)
    for name in (CHILD, OTHER):
        changes = Changes(job=a_job(name), spends=Spend(1, 2, 30, 0.25))
        await side.store.commit(claim_of(first_item(name), "m5"), changes)
    await side.store.create(creation(a_job(f"{CHILD}.c")), "m6", 1)
    scopes = (await state_of(side.store, claim_of(first_item(f"{CHILD}.c"), "m6"))).budget_scopes
    names_and_sums = [(scope.job.id, scope.child_usage) for scope in scopes]
    assert names_and_sums == [(f"{CHILD}.c", Spend()), (CHILD, Spend()), (JOB_ID, Spend(2, 4, 60, 0.5))]


async def test_what_is_reserved_for_a_live_turn_of_another_child_counts_until_its_lease_is_over(side: Side) -> None:
    await two_children(side)
    await side.store.claim(claim_of(first_item(CHILD), "m5", "o5"))
    reserved: list[int] = []
    for after_ms in (1, LEASE_MS + 1):
        state = await state_of(side.store, claim_of(first_item(OTHER), "m6", f"o{after_ms}", after_ms=after_ms * 2))
        reserved.append(state.budget_scopes[1].in_flight_tokens)
    assert reserved == [1_000, 0]
