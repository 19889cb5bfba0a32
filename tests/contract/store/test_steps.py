"""What follows what: steps and turns are due once no work item before them is left; children report to parents.

Code goes on with each step that ends: each end is told once, none is forgotten, and what is given up ends.
"""

import asyncio
import json

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Committed, Recorded, Verdict
from baton.engine.decide import cancel
from baton.engine.effects import Changes, Report, Skip
from baton.engine.state import CallRecord, Job, State
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, tool_key, turn_group
from baton.sdk.records.limits import Spend
from baton.sdk.records.transcript import FOREVER_MS, ModelPolicy
from baton_events.ids import step_id
from baton_events.schema import Cancellation
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
    assert [json.loads(part)["type"] for part in shown] == ["data-step-started", "data-lost"]


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


LATER_MS = NOW_MS + 3_600_000
CODE = replace(a_job(), model=ModelPolicy(runs_code=True))
CHILD_ID = f"{JOB_ID}.child"
NEXT = loop_item(JOB_ID, 2, 1, NOW_MS)


def step(number: int) -> WorkItem:
    name = step_id(JOB_ID, 1, number, "tool_a", {})
    return WorkItem(
        key=tool_key(ItemKind.CALL, name, 1),
        kind=ItemKind.CALL,
        job_id=JOB_ID,
        turn=1,
        attempt=1,
        position=number,
        call_id=name,
        tool="tool_a",
        group=turn_group(JOB_ID, 1),
        since_ms=NOW_MS,
    )


def record_of_code(item: WorkItem) -> CallRecord:
    return CallRecord(item.call_id, item.turn, item.position, item.tool, {})


def after(turn: int, stretch: str) -> Job:
    """The job once this turn is step_over."""
    return replace(CODE, status=JobStatus.PROCESSING, turn=turn, stretch=stretch)


async def begun(side: Side, *items: WorkItem, **more: object) -> None:
    """A job whose first stretch asks for these steps."""
    await side.store.create(creation(CODE), "witness", NOW_MS)
    calls = tuple(map(record_of_code, items))
    changes = Changes(job=replace(after(1, "a"), **more), items=items, calls=calls, transcript=("{}",))
    assert (await side.store.commit(claim_of(first_item(), "m1"), changes)).applied


async def end(side: Side, item: WorkItem, message: str, *, after_ms: int = 0) -> list[str]:
    changes = Changes(ended=(item.call_id,), results={item.call_id: f'{{"ok":{item.position}}}'})
    committed = await side.store.commit(claim_of(item, message, after_ms=after_ms), changes)
    assert committed.applied
    return [each.key for each in committed.pending]


async def step_over(side: Side, state: State, **more: object) -> list[str]:
    """The claimed turn ends its stretch, having taken all news."""
    changes = Changes(job=after(state.item.turn, f"s{state.item.turn}"), took=state.news, transcript=("{}",))
    committed = await side.store.commit(claim_of(state.item, "t"), replace(changes, **more))
    keys = [each.key for each in committed.pending if each.kind is not ItemKind.SLOT_REQUEST]
    return keys if committed.applied else ["refused"]


async def test_the_first_step_that_ends_begins_the_next_turn_and_the_second_one_joins_it(side: Side) -> None:
    first, second, third = step(1), step(2), step(3)
    await begun(side, first, second, third)
    assert await end(side, second, "m2", after_ms=5) == [NEXT.key]
    assert await end(side, first, "m3", after_ms=7) == []
    claimed = await side.store.claim(claim_of(NEXT, "m2", after_ms=9))
    assert claimed.state is not None
    assert list(claimed.state.news) == [second.call_id, first.call_id]
    assert claimed.history.results == {second.call_id: {"ok": 2}, first.call_id: {"ok": 1}}
    assert claimed.history.transcript == ()
    assert await step_over(side, claimed.state) == []


async def test_a_step_that_ends_while_a_turn_is_at_work_begins_another_one(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    assert await end(side, second, "m3") == []
    assert await step_over(side, state) == [loop_item(JOB_ID, 3, 1, NOW_MS).key]
    third = await state_of(side.store, claim_of(loop_item(JOB_ID, 3, 1, NOW_MS), "t"))
    assert list(third.news) == [second.call_id]
    assert await step_over(side, third) == []


async def test_steps_that_end_at_once_begin_one_turn(side: Side) -> None:
    steps = [step(number) for number in range(1, 9)]
    await begun(side, *steps)
    pending = await asyncio.gather(*[end(side, each, f"c{each.position}") for each in steps])
    assert [key for keys in pending for key in keys] == [NEXT.key]
    state = await state_of(side.store, claim_of(NEXT, "c1"))
    assert set(state.news) == {each.call_id for each in steps}


async def test_a_turn_that_took_an_end_which_was_forgotten_is_made_again(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    of_another_world = replace(state, news={**state.news, second.call_id: str(NOW_MS)})
    assert await step_over(side, of_another_world) == ["refused"]
    ended_anew = replace(state, news={first.call_id: str(NOW_MS - 1)})
    assert await step_over(side, ended_anew) == ["refused"]
    assert await step_over(side, state) == []


@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_step_that_is_given_up_ends_with_the_job_that_it_started(side: Side, is_begun: bool) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    if is_begun:
        child = replace(a_job(CHILD_ID), parent_call=second.call_id)
        waiting = replace(record_of_code(second), status=CallStatus.WAITING, child=CHILD_ID)
        wait = following(second, ItemKind.WAIT, NOW_MS, not_before_ms=LATER_MS)
        changes = Changes(calls=(waiting,), items=(wait,), child=creation(child))
        assert (await side.store.commit(claim_of(second, "m9"), changes)).applied
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    pending = await step_over(side, state, gives_up=(2,), closing=('{"type":"abort"}',))
    snapshot = await job_of(side)
    assert {item.kind for item in snapshot.items} <= {ItemKind.SLOT_REQUEST}
    assert [call.status for call in snapshot.calls if call.id == second.call_id] == [CallStatus.CANCELLED]
    assert NEXT.key not in pending
    if is_begun:
        assert (await job_of(side, CHILD_ID)).job.status is JobStatus.CANCELLED
    assert (await side.store.claim(claim_of(second, "m1"))).verdict is Verdict.APPLIED


async def test_a_result_that_comes_after_its_step_was_given_up_changes_nothing(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    assert (await side.store.claim(claim_of(second, "m9", "o9"))).verdict is Verdict.GRANTED
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    await step_over(side, state, gives_up=(2,))
    changes = Changes(ended=(second.call_id,), results={second.call_id: '{"ok":2}'})
    assert not (await side.store.commit(claim_of(second, "m9", "o9"), changes)).applied
    assert second.call_id not in (await job_of(side)).results


async def test_a_step_that_ended_untaken_and_is_given_up_begins_no_turn(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    await end(side, second, "m3")
    assert await step_over(side, state, gives_up=(2,)) == []


async def test_a_cancel_while_a_turn_is_at_work_is_told_by_the_next_one(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    loaded = await loaded_of(side)
    changes = cancel(loaded.job, Cancellation(by="anna"), NOW_MS).changes
    assert changes is not None
    recorded, items = await side.store.record(loaded, "w1", changes, NOW_MS)
    assert (recorded, [item.kind for item in items]) == (Recorded.COMMITTED, [])
    third = loop_item(JOB_ID, 3, 1, NOW_MS)
    assert await step_over(side, state) == [third.key]
    told = await state_of(side.store, claim_of(third, "t"))
    assert told.job.cancelling is not None
    assert not told.job.cancelling.is_seen


async def test_a_cancel_of_waiting_code_begins_a_turn_and_a_forced_one_ends_it(side: Side) -> None:
    await begun(side, step(1))
    loaded = await loaded_of(side)
    changes = cancel(loaded.job, Cancellation(by="anna"), NOW_MS).changes
    assert changes is not None
    _, items = await side.store.record(loaded, "w1", changes, NOW_MS)
    assert [item.key for item in items] == [NEXT.key]
    loaded = await loaded_of(side)
    assert cancel(loaded.job, Cancellation(by="anna"), NOW_MS).changes is None  # its message came again
    forced = cancel(loaded.job, Cancellation(by="anna", force=True), NOW_MS).changes
    assert forced is not None
    assert forced.ends
    await side.store.record(loaded, "w2", forced, NOW_MS)
    assert (await job_of(side)).job.status is JobStatus.CANCELLED
