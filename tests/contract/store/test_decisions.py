"""A person's decision about a call that may not run yet: its question is a wait of its own, and the call stays open."""

import asyncio

from msgspec.structs import replace

from baton.engine.commit.answers import Signal, SignalResult, Verdict
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, WorkItem, following
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    record_of,
    table_of,
)
from tests.contract.store.side import Side

LATER_MS = NOW_MS + 3_600_000
EXPIRED = '{"error":{"message":"nobody decided in time","type":"expired"}}'
SUBJECT = replace(call_item(0), step="pay")
NEXT = replace(call_item(1), step="tell", after=SUBJECT.call_id)
QUESTION = replace(
    following(call_item(7), ItemKind.WAIT, NOW_MS, not_before_ms=LATER_MS),
    approval_of_call=SUBJECT.call_id,
    timeout_result=EXPIRED,
)


def decision(number: int = 1) -> Signal:
    """Somebody's."""
    return Signal(f"evt_{number}", f'{{"ok":{{"decision":{number}}}}}', call_id=QUESTION.call_id)


async def requested(side: Side) -> None:
    """A plan whose first step waits for a decision, and whose second comes after it."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    calls = (record_of(SUBJECT), record_of(NEXT))
    assert (await side.store.commit(claim_of(first_item()), Changes(items=(SUBJECT, NEXT), calls=calls), SPENT)).applied
    question = replace(record_of(QUESTION), dependants=(SUBJECT.call_id, NEXT.call_id))
    changes = Changes(items=(QUESTION,), calls=(question,))
    assert (await side.store.commit(claim_of(SUBJECT, "m2"), changes, SPENT)).applied


async def relay_ids(side: Side) -> dict[str, str]:
    """Who carries which step."""
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    return {item.key: item.relay_id for item in snapshot.items if item.kind is not ItemKind.SLOT_REQUEST}


async def test_what_comes_after_a_call_waits_while_somebody_is_asked_about_it(side: Side) -> None:
    """The call itself has no work item then; a message or a sweep that asks for the next step finds nothing to do."""
    await requested(side)
    assert (await side.store.claim(claim_of(NEXT, "m9", after_ms=500_000))).verdict is Verdict.APPLIED
    reconciled = await side.store.reconcile(JOB_ID, "sweep", NOW_MS + 500_000, 60_000, table_of(JOB_ID))
    assert NEXT.key not in {item.key for item in reconciled.stalled}
    again = replace(following(SUBJECT, ItemKind.CALL, NOW_MS, attempt=2), after="")
    assert (await side.store.commit(claim_of(QUESTION, "m3"), Changes(items=(again,)), SPENT)).applied
    assert await relay_ids(side) == {again.key: "m3", NEXT.key: ""}
    assert (await side.store.claim(claim_of(NEXT, "m9", after_ms=500_000))).verdict is Verdict.APPLIED
    assert (await side.store.commit(claim_of(again, "m4"), Changes(), SPENT)).applied
    assert await relay_ids(side) == {NEXT.key: "m4"}


async def test_who_takes_a_decision_in_is_informed_of_the_call(side: Side) -> None:
    """And of the steps that come after it, with the decision."""
    await requested(side)
    found = await side.store.signal(JOB_ID, "w1", decision(), NOW_MS + 1)
    assert [(item.key, item.relay_id) for item in found.items] == [(QUESTION.key, "w1")]
    claim_result = await side.store.claim(claim_of(QUESTION, "w1", after_ms=2))
    assert claim_result.state is not None
    assert [record.id for record in claim_result.state.dependants] == [SUBJECT.call_id, NEXT.call_id]
    assert (claim_result.state.outcome, claim_result.state.the_call.id) == (decision().outcome, QUESTION.call_id)


async def test_of_decisions_at_once_one_counts(side: Side) -> None:
    """Whoever was told so was told the truth; a time-out does not come between."""
    await fan_out(side, 1)
    question: WorkItem = replace(QUESTION, approval_of_call=call_item(0).call_id, not_before_ms=NOW_MS + 5)
    changes = Changes(items=(question,), calls=(record_of(question),))
    assert (await side.store.commit(claim_of(call_item(0)), changes, SPENT)).applied
    found = [side.store.signal(JOB_ID, f"w{number}", decision(number), NOW_MS + 6) for number in range(1, 51)]
    claim_result, answers = await asyncio.gather(
        side.store.claim(claim_of(question, "timer", "o9", after_ms=6)), asyncio.gather(*found)
    )
    first = [number for number, answer in enumerate(answers, 1) if answer.signal_result is SignalResult.FIRST]
    assert claim_result.state is not None
    assert claim_result.state.outcome == (decision(first[0]).outcome if first else EXPIRED)
    assert len(first) <= 1
    assert all(
        answer.signal_result is SignalResult.OTHER for number, answer in enumerate(answers, 1) if number not in first
    )
