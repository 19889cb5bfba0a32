"""Signals: the first outcome of a call stays, an event ends one wait, what comes early is kept; people's decisions.

The question about a call that may not run yet is a wait of its own, and the call stays open.
"""

import asyncio

from msgspec.structs import replace

from baton.engine.commit.answers import Recorded, Signal, SignalResult, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    loaded_of,
    record_of,
    state_of,
    table_of,
)
from tests.contract.store.side import Side

LATER_MS = NOW_MS + 3_600_000
OTHERWISE = '{"ok":{"timedOut":true}}'
PAID = Signal("evt_1", '{"ok":1}', event="paid")


def wait_item(position: int, event: str = "", until_ms: int = LATER_MS) -> WorkItem:
    waiting = following(call_item(position), ItemKind.WAIT, NOW_MS, not_before_ms=until_ms)
    return replace(waiting, event=event, timeout_result=OTHERWISE)


async def waiting(side: Side, *items: WorkItem) -> None:
    calls = await fan_out(side, len(items))
    for call, item in zip(calls, items, strict=True):
        assert (await side.store.commit(claim_of(call, f"call{call.position}"), Changes(items=(item,)))).applied


def outcome_of(position: int, text: str = '{"ok":7}', command_id: str = "evt_9") -> Signal:
    return Signal(command_id, text, call_id=call_item(position).call_id)


async def told(side: Side, message: str, signal: Signal, after_ms: int) -> SignalResult:
    return (await side.store.signal(JOB_ID, message, signal, NOW_MS + after_ms)).signal_result


async def test_an_outcome_wakes_its_wait_and_the_first_stays(side: Side) -> None:
    """Whoever tells it carries the wait from then on; the other one is untouched."""
    await waiting(side, wait_item(0), wait_item(1))
    found = await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    assert found.signal_result is SignalResult.FIRST
    assert [(item.key, item.relay_id, item.not_before_ms) for item in found.items] == [(wait_item(0).key, "w1", 0)]
    assert await told(side, "w1", outcome_of(0), 2) is SignalResult.AGAIN
    assert await told(side, "w2", outcome_of(0, '{"ok":8}'), 2) is SignalResult.OTHER
    assert (await state_of(side.store, claim_of(wait_item(0), "w1", after_ms=3))).outcome == '{"ok":7}'
    assert (await side.store.claim(claim_of(wait_item(1), "m5"))).verdict is Verdict.EARLY


async def test_a_wait_whose_time_is_up_is_over_once_it_is_begun(side: Side) -> None:
    """What comes from outside after that is too late."""
    await waiting(side, wait_item(0, until_ms=NOW_MS + 10))
    assert (await state_of(side.store, claim_of(wait_item(0), "m5", after_ms=10))).outcome == OTHERWISE
    assert await told(side, "w1", outcome_of(0), 11) is SignalResult.OTHER


async def test_an_outcome_before_its_wait_is_kept(side: Side) -> None:
    """The wait that comes later is due at once, carried by the message that made it."""
    calls = await fan_out(side, 1)
    await side.store.commit(claim_of(calls[0], "m2"), Changes(items=(call_item(0),)))
    await told(side, "w1", outcome_of(0), 1)
    (item,) = (await side.store.commit(claim_of(call_item(0), "m3"), Changes(items=(wait_item(0),)))).pending
    assert (item.key, item.relay_id, item.not_before_ms) == (wait_item(0).key, "m3", 0)


async def test_an_outcome_of_a_call_that_was_never_made_is_none_of_the_next_run(side: Side) -> None:
    """The job ends without the call and begins again: whatever waits there waits for an outcome of its own."""
    await waiting(side, wait_item(0))
    assert await told(side, "w1", outcome_of(1), 1) is SignalResult.EARLY
    job, call = replace(a_job(), run=2), call_item(1)
    again = Changes(job=job, items=(call,), calls=(record_of(call),), begins_again=True)
    assert (await side.store.record(await loaded_of(side), "w2", again, NOW_MS))[0] is Recorded.COMMITTED
    claim = replace(claim_of(call, "w2"), run=2)
    assert (await side.store.commit(claim, Changes(items=(wait_item(1),)))).applied
    assert (await side.store.claim(claim_of(wait_item(1), "w2"))).verdict is Verdict.EARLY
    assert await told(side, "w3", outcome_of(1), 2) is SignalResult.ENDED


async def test_an_event_ends_the_first_wait_for_it_and_counts_once(side: Side) -> None:
    await waiting(side, wait_item(0, "paid"), wait_item(1, "paid"))
    for at_ms, result in enumerate((SignalResult.FIRST, SignalResult.AGAIN), NOW_MS + 1):
        found = await side.store.signal(JOB_ID, "w1", PAID, at_ms)
        assert (found.signal_result, [item.key for item in found.items]) == (result, [wait_item(0).key])
    assert (await side.store.claim(claim_of(wait_item(1), "m5"))).verdict is Verdict.EARLY


async def test_what_nobody_knows_is_unknown_and_what_has_ended_is_ended(side: Side) -> None:
    """A job, a run of it that has not begun, and a job that is over."""
    assert await told(side, "w1", PAID, 0) is SignalResult.UNKNOWN
    await waiting(side, wait_item(0))
    unknown = Signal("evt_1", "{}", call_id=f"{JOB_ID}-1-7-bbbbbbbbbb", run=2)
    assert await told(side, "w1", unknown, 0) is SignalResult.UNKNOWN
    ended = Changes(job=replace(a_job(), status=JobStatus.COMPLETED), ends=True)
    await side.store.record(await loaded_of(side), "w2", ended, NOW_MS)
    found = await side.store.signal(JOB_ID, "w3", outcome_of(0), NOW_MS + 1)
    assert (found.signal_result, found.items) == (SignalResult.ENDED, ())


EXPIRED = '{"error":{"message":"nobody decided in time","type":"expired"}}'
SUBJECT = replace(call_item(0), step="pay")
NEXT = replace(call_item(1), step="tell", after=SUBJECT.call_id)
QUESTION = replace(
    following(call_item(7), ItemKind.WAIT, NOW_MS, not_before_ms=LATER_MS),
    approval_of_call=SUBJECT.call_id,
    timeout_result=EXPIRED,
)


def decision(number: int = 1) -> Signal:
    return Signal(f"evt_{number}", f'{{"ok":{{"decision":{number}}}}}', call_id=QUESTION.call_id)


async def requested(side: Side) -> None:
    """A plan whose first step waits for a decision, and whose second comes after it."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    calls = (record_of(SUBJECT), record_of(NEXT))
    assert (await side.store.commit(claim_of(first_item()), Changes(items=(SUBJECT, NEXT), calls=calls))).applied
    question = replace(record_of(QUESTION), dependants=(SUBJECT.call_id, NEXT.call_id))
    changes = Changes(items=(QUESTION,), calls=(question,))
    assert (await side.store.commit(claim_of(SUBJECT, "m2"), changes)).applied


async def relay_ids(side: Side) -> dict[str, str]:
    items = (await job_of(side)).items
    return {item.key: item.relay_id for item in items if item.kind is not ItemKind.SLOT_REQUEST}


async def test_what_comes_after_a_call_waits_while_somebody_is_asked_about_it(side: Side) -> None:
    """The call itself has no work item then; a message or a sweep that asks for the next step finds nothing to do."""
    await requested(side)
    assert (await side.store.claim(claim_of(NEXT, "m9", after_ms=500_000))).verdict is Verdict.APPLIED
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 500_000, 60_000, table_of(JOB_ID))
    assert NEXT.key not in {item.key for item in reconciled.stalled}
    again = replace(following(SUBJECT, ItemKind.CALL, NOW_MS, attempt=2), after="")
    assert (await side.store.commit(claim_of(QUESTION, "m3"), Changes(items=(again,)))).applied
    assert await relay_ids(side) == {again.key: "m3", NEXT.key: ""}
    assert (await side.store.claim(claim_of(NEXT, "m9", after_ms=500_000))).verdict is Verdict.APPLIED
    assert (await side.store.commit(claim_of(again, "m4"), Changes())).applied
    assert await relay_ids(side) == {NEXT.key: "m4"}


async def test_who_takes_a_decision_in_is_informed_of_the_call(side: Side) -> None:
    await requested(side)
    found = await side.store.signal(JOB_ID, "w1", decision(), NOW_MS + 1)
    assert [(item.key, item.relay_id) for item in found.items] == [(QUESTION.key, "w1")]
    state = await state_of(side.store, claim_of(QUESTION, "w1", after_ms=2))
    assert [record.id for record in state.dependants] == [SUBJECT.call_id, NEXT.call_id]
    assert (state.outcome, state.the_call.id) == (decision().outcome, QUESTION.call_id)


async def test_of_decisions_at_once_one_counts(side: Side) -> None:
    """Whoever was told so was told the truth; a time-out does not come between."""
    await fan_out(side, 1)
    question: WorkItem = replace(QUESTION, approval_of_call=call_item(0).call_id, not_before_ms=NOW_MS + 5)
    changes = Changes(items=(question,), calls=(record_of(question),))
    assert (await side.store.commit(claim_of(call_item(0)), changes)).applied
    found = [side.store.signal(JOB_ID, f"w{number}", decision(number), NOW_MS + 6) for number in range(1, 51)]
    claim_result, answers = await asyncio.gather(
        side.store.claim(claim_of(question, "timer", "o9", after_ms=6)), asyncio.gather(*found)
    )
    first = [number for number, answer in enumerate(answers, 1) if answer.signal_result is SignalResult.FIRST]
    assert claim_result.state is not None
    assert claim_result.state.outcome == (decision(first[0]).outcome if first else EXPIRED)
    assert len(first) <= 1
    others = [answer.signal_result for number, answer in enumerate(answers, 1) if number not in first]
    assert set(others) == {SignalResult.OTHER}
