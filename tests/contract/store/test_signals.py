"""Signals: the first outcome of a call stays, an event ends one wait, what comes early is kept."""

from dataclasses import replace

from msgspec import structs

from baton.engine.commit.answers import Recorded, Signal, SignalResult, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following
from baton.sdk.records import FOREVER_MS
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
)
from tests.contract.store.side import Side

LATER_MS = NOW_MS + 3_600_000
OTHERWISE = '{"ok":{"timedOut":true}}'
PAID = Signal("evt_1", '{"ok":1}', event="paid")


def wait_item(position: int, event: str = "", until_ms: int = LATER_MS) -> WorkItem:
    """A call that waits."""
    waiting = following(call_item(position), ItemKind.WAIT, NOW_MS, not_before_ms=until_ms)
    return structs.replace(waiting, event=event, timeout_result=OTHERWISE)


async def waiting(side: Side, *items: WorkItem) -> None:
    """A job whose calls wait."""
    calls = await fan_out(side, len(items))
    for call, item in zip(calls, items, strict=True):
        assert (await side.store.commit(claim_of(call, f"call{call.position}"), Changes(items=(item,)), SPENT)).applied


def outcome_of(position: int, text: str = '{"ok":7}', fact_id: str = "evt_9") -> Signal:
    """An outcome of one call."""
    return Signal(fact_id, text, call_id=call_item(position).call_id)


async def test_an_outcome_wakes_its_wait_and_the_first_stays(side: Side) -> None:
    """Whoever tells it carries the wait from then on; the other one is untouched."""
    await waiting(side, wait_item(0), wait_item(1))
    told = await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    assert told.signal_result is SignalResult.FIRST
    assert [(item.key, item.relay_id, item.not_before_ms) for item in told.items] == [(wait_item(0).key, "w1", 0)]
    assert (await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 2)).signal_result is SignalResult.AGAIN
    assert (
        await side.store.signal(JOB_ID, "w2", outcome_of(0, '{"ok":8}'), NOW_MS + 2)
    ).signal_result is SignalResult.OTHER
    claim_result = await side.store.claim(claim_of(wait_item(0), "w1", after_ms=3))
    assert claim_result.state is not None
    assert claim_result.state.outcome == '{"ok":7}'
    assert (await side.store.claim(claim_of(wait_item(1), "m5"))).verdict is Verdict.EARLY


async def test_a_wait_whose_time_is_up_is_over_once_it_is_begun(side: Side) -> None:
    """What comes from outside after that is too late."""
    await waiting(side, wait_item(0, until_ms=NOW_MS + 10))
    claim_result = await side.store.claim(claim_of(wait_item(0), "m5", after_ms=10))
    assert claim_result.state is not None
    assert claim_result.state.outcome == OTHERWISE
    assert (await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 11)).signal_result is SignalResult.OTHER


async def test_a_wait_does_not_end_with_another_outcome_than_is_recorded(side: Side) -> None:
    """A failover forgot what it was begun with, and then something else came, which stays; or nothing: it waits on."""
    await waiting(side, wait_item(0), wait_item(1, until_ms=NOW_MS + 10))
    await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    call_id = call_item(0).call_id
    late = Changes(results={call_id: OTHERWISE})
    assert not (await side.store.commit(claim_of(wait_item(0), "m5"), late, SPENT)).applied
    right = Changes(results={call_id: '{"ok":7}'})
    assert (await side.store.commit(claim_of(wait_item(0), "m5"), right, SPENT)).applied
    forgotten = Changes(results={call_item(1).call_id: OTHERWISE})
    assert not (await side.store.commit(claim_of(wait_item(1), "m5", after_ms=9), forgotten, SPENT)).applied
    assert (await side.store.commit(claim_of(wait_item(1), "m5", after_ms=10), forgotten, SPENT)).applied
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert [snapshot.results[call_item(n).call_id] for n in (0, 1)] == [{"ok": 7}, {"ok": {"timedOut": True}}]


async def test_an_outcome_before_its_wait_is_kept(side: Side) -> None:
    """The wait that comes later is due at once, carried by the message that made it."""
    calls = await fan_out(side, 1)
    await side.store.commit(claim_of(calls[0], "m2"), Changes(items=(call_item(0),)), SPENT)
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    committed = await side.store.commit(claim_of(call_item(0), "m3"), Changes(items=(wait_item(0),)), SPENT)
    assert [(item.key, item.relay_id, item.not_before_ms) for item in committed.pending] == [
        (wait_item(0).key, "m3", 0)
    ]


async def test_an_outcome_of_a_call_that_a_failover_forgot_is_kept(side: Side) -> None:
    """It is there once the call is made again, and waits; until then a repeat of it changes nothing."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    words = [(await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)).signal_result for _ in range(2)]
    assert words == [SignalResult.EARLY, SignalResult.AGAIN]
    assert (
        await side.store.signal(JOB_ID, "w2", outcome_of(0, '{"ok":8}'), NOW_MS + 2)
    ).signal_result is SignalResult.OTHER
    made = Changes(items=(call_item(0),), calls=(record_of(call_item(0)),))
    assert (await side.store.commit(claim_of(first_item()), made, SPENT)).applied
    committed = await side.store.commit(claim_of(call_item(0), "m2"), Changes(items=(wait_item(0),)), SPENT)
    assert [(item.key, item.relay_id, item.not_before_ms) for item in committed.pending] == [
        (wait_item(0).key, "m2", 0)
    ]


async def test_an_outcome_of_a_call_that_was_never_made_is_none_of_the_next_run(side: Side) -> None:
    """The job ends without the call and begins again: whatever waits there waits for an outcome of its own."""
    await waiting(side, wait_item(0))
    assert (await side.store.signal(JOB_ID, "w1", outcome_of(1), NOW_MS + 1)).signal_result is SignalResult.EARLY
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    again = Changes(
        job=structs.replace(a_job(), run=2), items=(call_item(1),), calls=(record_of(call_item(1)),), begins_again=True
    )
    assert (await side.store.record(loaded, "w2", again, NOW_MS))[0] is Recorded.COMMITTED
    claim = structs.replace(claim_of(call_item(1), "w2"), run=2)
    assert (await side.store.commit(claim, Changes(items=(wait_item(1),)), SPENT)).applied
    assert (await side.store.claim(claim_of(wait_item(1), "w2"))).verdict is Verdict.EARLY
    assert (await side.store.signal(JOB_ID, "w3", outcome_of(1), NOW_MS + 2)).signal_result is SignalResult.ENDED


async def test_an_event_ends_the_first_wait_for_it_and_counts_once(side: Side) -> None:
    """A second telling of the same event changes nothing."""
    await waiting(side, wait_item(0, "paid"), wait_item(1, "paid"))
    told = await side.store.signal(JOB_ID, "w1", PAID, NOW_MS + 1)
    assert [item.key for item in told.items] == [wait_item(0).key]
    again = await side.store.signal(JOB_ID, "w1", PAID, NOW_MS + 2)
    assert (again.signal_result, [item.key for item in again.items]) == (SignalResult.AGAIN, [wait_item(0).key])
    assert (await side.store.claim(claim_of(wait_item(1), "m5"))).verdict is Verdict.EARLY


async def test_an_event_leaves_a_wait_alone_whose_time_was_up_by_another_clock(side: Side) -> None:
    """The clock of who tells is behind: the outcome stays, and the event is kept for the next wait."""
    await waiting(side, wait_item(0, "paid", until_ms=NOW_MS + 10))
    await side.store.claim(claim_of(wait_item(0, "paid"), "m5", after_ms=10))
    assert (await side.store.signal(JOB_ID, "w1", PAID, NOW_MS + 5)).items == ()
    claim_result = await side.store.claim(claim_of(wait_item(0, "paid"), "m5", after_ms=11))
    assert claim_result.state is not None
    assert claim_result.state.outcome == OTHERWISE
    snapshot = await side.reader.job(JOB_ID)
    assert snapshot is not None
    assert snapshot.results[wait_item(0).call_id] == {"ok": {"timedOut": True}}


async def test_events_before_their_waits_are_kept_in_their_order(side: Side) -> None:
    """Each ends one wait."""
    calls = await fan_out(side, 3)
    await side.store.signal(JOB_ID, "w1", PAID, NOW_MS + 1)
    await side.store.signal(JOB_ID, "w2", replace(PAID, id="evt_0", outcome='{"ok":2}'), NOW_MS + 2)
    outcomes: list[str] = []
    for call in calls:
        item = wait_item(call.position, "paid")
        await side.store.commit(claim_of(call, f"call{call.position}"), Changes(items=(item,)), SPENT)
        claim_result = await side.store.claim(claim_of(item, f"wait{call.position}", after_ms=5))
        outcomes.append(claim_result.state.outcome if claim_result.state else claim_result.verdict)
    assert outcomes == ['{"ok":1}', '{"ok":2}', "early"]


async def test_a_wait_without_an_end_of_its_own_is_never_dispatched(side: Side) -> None:
    """Nobody publishes a timer for it, no sweep redrives it, and a message that asks for it is done."""
    await waiting(side, wait_item(0, until_ms=FOREVER_MS))
    claim = claim_of(wait_item(0), "call0", after_ms=500_000_000)
    assert (await side.store.claim(claim)).verdict is Verdict.APPLIED
    looked = await side.store.reconcile(JOB_ID, "call0", NOW_MS + 500_000_000, 60_000, {})
    assert all(item.kind is not ItemKind.WAIT for item in looked.stalled)
    told = await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    assert [item.key for item in told.items if item.kind is ItemKind.WAIT] == [wait_item(0).key]


async def test_what_nobody_knows_is_unknown_and_what_has_ended_is_ended(side: Side) -> None:
    """A job, a run of it that has not begun, and a job that is over."""
    assert (await side.store.signal(JOB_ID, "w1", PAID, NOW_MS)).signal_result is SignalResult.UNKNOWN
    await waiting(side, wait_item(0))
    unknown = Signal("evt_1", "{}", call_id=f"{JOB_ID}-1-7-bbbbbbbbbb", run=2)
    assert (await side.store.signal(JOB_ID, "w1", unknown, NOW_MS)).signal_result is SignalResult.UNKNOWN
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    ended = structs.replace(a_job(), status=JobStatus.COMPLETED)
    await side.store.record(loaded, "w2", Changes(job=ended, ends=True), NOW_MS)
    told = await side.store.signal(JOB_ID, "w3", outcome_of(0), NOW_MS + 1)
    assert (told.signal_result, told.items) == (SignalResult.ENDED, ())
