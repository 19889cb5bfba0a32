"""Signals: the first outcome of a call stays, an event ends one wait, what comes early is kept."""

from msgspec import structs

from baton.engine.commit.answers import Recorded, Signal, SignalResult, Verdict
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    a_job,
    call_item,
    claim_of,
    fan_out,
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


def outcome_of(position: int, text: str = '{"ok":7}', command_id: str = "evt_9") -> Signal:
    """An outcome of one call."""
    return Signal(command_id, text, call_id=call_item(position).call_id)


async def test_an_outcome_wakes_its_wait_and_the_first_stays(side: Side) -> None:
    """Whoever tells it carries the wait from then on; the other one is untouched."""
    await waiting(side, wait_item(0), wait_item(1))
    found = await side.store.signal(JOB_ID, "w1", outcome_of(0), NOW_MS + 1)
    assert found.signal_result is SignalResult.FIRST
    assert [(item.key, item.relay_id, item.not_before_ms) for item in found.items] == [(wait_item(0).key, "w1", 0)]
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
    found = await side.store.signal(JOB_ID, "w1", PAID, NOW_MS + 1)
    assert [item.key for item in found.items] == [wait_item(0).key]
    again = await side.store.signal(JOB_ID, "w1", PAID, NOW_MS + 2)
    assert (again.signal_result, [item.key for item in again.items]) == (SignalResult.AGAIN, [wait_item(0).key])
    assert (await side.store.claim(claim_of(wait_item(1), "m5"))).verdict is Verdict.EARLY


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
    found = await side.store.signal(JOB_ID, "w3", outcome_of(0), NOW_MS + 1)
    assert (found.signal_result, found.items) == (SignalResult.ENDED, ())
