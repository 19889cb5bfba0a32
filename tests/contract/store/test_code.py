"""Code goes on with each step that ends: each end is told once, none is forgotten, and what is given up ends."""

import asyncio

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Recorded, Verdict
from baton.engine.decide import cancel
from baton.engine.effects import Changes
from baton.engine.state import CallRecord, Job, State
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, tool_key, turn_group
from baton.sdk.records.transcript import ModelPolicy
from baton_events.ids import step_id
from baton_events.schema import Cancellation
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    claim_of,
    creation,
    first_item,
    job_of,
    loaded_of,
    state_of,
)
from tests.contract.store.side import Side

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


def record_of(item: WorkItem) -> CallRecord:
    return CallRecord(item.call_id, item.turn, item.position, item.tool, {})


def after(turn: int, stretch: str) -> Job:
    """The job once this turn is over."""
    return replace(CODE, status=JobStatus.PROCESSING, turn=turn, stretch=stretch)


async def begun(side: Side, *items: WorkItem, **more: object) -> None:
    """A job whose first stretch asks for these steps."""
    await side.store.create(creation(CODE), "witness", NOW_MS)
    calls = tuple(map(record_of, items))
    changes = Changes(job=replace(after(1, "a"), **more), items=items, calls=calls, transcript=("{}",))
    assert (await side.store.commit(claim_of(first_item(), "m1"), changes)).applied


async def end(side: Side, item: WorkItem, message: str, *, after_ms: int = 0) -> list[str]:
    changes = Changes(ended=(item.call_id,), results={item.call_id: f'{{"ok":{item.position}}}'})
    committed = await side.store.commit(claim_of(item, message, after_ms=after_ms), changes)
    assert committed.applied
    return [each.key for each in committed.pending]


async def over(side: Side, state: State, **more: object) -> list[str]:
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
    assert await over(side, claimed.state) == []


async def test_a_step_that_ends_while_a_turn_is_at_work_begins_another_one(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    assert await end(side, second, "m3") == []
    assert await over(side, state) == [loop_item(JOB_ID, 3, 1, NOW_MS).key]
    third = await state_of(side.store, claim_of(loop_item(JOB_ID, 3, 1, NOW_MS), "t"))
    assert list(third.news) == [second.call_id]
    assert await over(side, third) == []


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
    assert await over(side, of_another_world) == ["refused"]
    ended_anew = replace(state, news={first.call_id: str(NOW_MS - 1)})
    assert await over(side, ended_anew) == ["refused"]
    assert await over(side, state) == []


@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_step_that_is_given_up_ends_with_the_job_that_it_started(side: Side, is_begun: bool) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    if is_begun:
        child = replace(a_job(CHILD_ID), parent_call=second.call_id)
        waiting = replace(record_of(second), status=CallStatus.WAITING, child=CHILD_ID)
        wait = following(second, ItemKind.WAIT, NOW_MS, not_before_ms=LATER_MS)
        changes = Changes(calls=(waiting,), items=(wait,), child=creation(child))
        assert (await side.store.commit(claim_of(second, "m9"), changes)).applied
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    pending = await over(side, state, gives_up=(2,), closing=('{"type":"abort"}',))
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
    await over(side, state, gives_up=(2,))
    changes = Changes(ended=(second.call_id,), results={second.call_id: '{"ok":2}'})
    assert not (await side.store.commit(claim_of(second, "m9", "o9"), changes)).applied
    assert second.call_id not in (await job_of(side)).results


async def test_a_step_that_ended_untaken_and_is_given_up_begins_no_turn(side: Side) -> None:
    first, second = step(1), step(2)
    await begun(side, first, second)
    await end(side, first, "m2")
    state = await state_of(side.store, claim_of(NEXT, "m2"))
    await end(side, second, "m3")
    assert await over(side, state, gives_up=(2,)) == []


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
    assert await over(side, state) == [third.key]
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
