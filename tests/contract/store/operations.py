"""Drawn operations on a store: few jobs, items, messages and owners, so that they meet each other often.

Invariant: an operation holds values only, so that the same one can be applied to both sides.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry, SlotTable, Want
from baton.engine.commit.answers import Claim, Signal
from baton.engine.effects import Changes, Join, Report, Skip, TextStream
from baton.engine.outbox import Continuation
from baton.engine.state import CallRecord
from baton.engine.stream_parts import handled
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, slot_request_item
from baton.sdk.records.limits import Spend
from baton.sdk.records.transcript import FOREVER_MS
from baton_events.errors import JobGoneError
from baton_events.ids import is_child, root_of
from tests.contract.store.sample import (
    FIRST_EPOCH,
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    by_key,
    call_item,
    creation,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import Side

JOB_IDS = (JOB_ID, f"{JOB_ID}.1", "job_b")
_CHILD = f"{JOB_ID}.2"
_PARENT_CALL = call_item(10).call_id
_DEPENDANTS = (call_item(0, JOB_ID, 2).call_id, call_item(1, JOB_ID, 2).call_id)
_TIMED_OUT = '{"ok":{"timedOut":true}}'
_WANTS: list[Want] = ["slot", "none", "gone"]
_RANGES = st.sampled_from([(0, 0), (0, 0), (1, 2), (1, 3), (1, 9)])
_REPORTS = st.sampled_from([Report(_PARENT_CALL, text) for text in ('{"ok":1}', '{"error":{}}')])
_EVENTS = st.sampled_from(["paid", "paid", f'"job_id":"{JOB_ID}"', "bill 0"])
_TEXT_IDS = st.sampled_from(["", "text-1-1-a.1", "text-1-1-a.2"])
_TEXT_STREAMS = [TextStream(f"text-1-1-a.{n}", appended, ("rest",), ("anew",)) for n in (1, 2) for appended in (1, 2)]
_TEXTS = st.sampled_from(["", "x", 'q"\\/\n', '"relay_id":"m1"', "é漢", '"reads_history":true'])
_ANSWERS = _TEXTS | st.sampled_from([{"job_id": job_id} for job_id in JOB_IDS])


def _items_of(job_id: str) -> list[WorkItem]:
    calls = [call_item(position, job_id) for position in (0, 1, 10)]
    return [
        *(loop_item(job_id, turn, 1, NOW_MS) for turn in (1, 2)),
        loop_item(job_id, 1, 2, NOW_MS, NOW_MS + LEASE_MS),
        *calls,
        *(following(call, kind, NOW_MS) for call in calls for kind in (ItemKind.COMPLETE, ItemKind.FAILED)),
        *(slot_request_item(job_id, "slot", epoch, NOW_MS) for epoch in (FIRST_EPOCH, NOW_MS, NOW_MS + LEASE_MS)),
        following(calls[0], ItemKind.CALL, NOW_MS, attempt=2, not_before_ms=NOW_MS + 2 * LEASE_MS),
        *_waits_of(calls),
        *_steps_after(calls, job_id),
    ]


def _steps_after(calls: list[WorkItem], job_id: str) -> list[WorkItem]:
    one, two = (replace(call_item(position, job_id, 2), step=f"s{position}") for position in (0, 1))
    wait = following(calls[2], ItemKind.WAIT, NOW_MS, attempt=3)
    requests = replace(wait, approval_of_call=calls[0].call_id, timeout_result=_TIMED_OUT)
    return [
        replace(requests, not_before_ms=NOW_MS + LEASE_MS),
        replace(one, after=calls[0].call_id),
        replace(two, after=f"{calls[0].call_id},{calls[1].call_id}"),
    ]


def _waits_of(calls: list[WorkItem]) -> list[WorkItem]:
    late, never = NOW_MS + 2 * LEASE_MS, FOREVER_MS
    return [
        replace(following(call, ItemKind.WAIT, NOW_MS, not_before_ms=at_ms), timeout_result=_TIMED_OUT, event=event)
        for call, at_ms, event in zip(calls, (late, late, never), ("", "paid", "paid"), strict=False)
    ]


ITEMS = {job_id: _items_of(job_id) for job_id in JOB_IDS}
_EVENT = handled(call_item(0), NOW_MS, "returned")
_STREAMED_TEXT = {
    job_id: tuple(f'{{"calls":[{{"id":"{item.call_id}"}}],"role":"model"}}' for item in items if item.call_id)
    for job_id, items in ITEMS.items()
}
# The first turn and the first calls more often than others, since what stands there is what others follow from.
_REQUESTED = [item for items in ITEMS.values() for item in (*items, *items[:1] * 8, *items[3:6] * 2)]


_CLAIMED = (frozenset(ItemKind), frozenset({ItemKind.SLOT_REQUEST, ItemKind.CALL}), frozenset({ItemKind.LOOP}))


def waits_once(item: WorkItem) -> str:
    """By what work items of one COMMIT differ: a call waits for one thing at a time."""
    return item.call_id if item.kind is ItemKind.WAIT else item.key


def results_of(done: str, calls: Sequence[CallRecord]) -> dict[str, str]:
    """What the COMMIT of this work item records: the end of a wait, no other outcome than that of its own call."""
    names = done.split(":")[1:2] if done.startswith(f"{ItemKind.WAIT}:") and calls else [call.id for call in calls[:1]]
    return dict.fromkeys(names, '{"ok":1}')


@st.composite
def rooms(draw: st.DrawFn, claim: Claim, items: Sequence[WorkItem]) -> Continuation:
    """Room for what follows, under one of few names, so that some ask again for what they hold.

    Each is of one job, as that of a real COMMIT is: it is told of its own job's work items only.
    """
    kinds, but = (
        draw(st.sampled_from(_CLAIMED)),
        draw(st.lists(st.sampled_from([item.key for item in items]), max_size=3)),
    )
    at_most, number = draw(st.integers(0, 4)), draw(st.integers(1, 2))
    return Continuation(f"{claim.owner}.{number}.{claim.job_id}", leases_of(kinds), at_most, frozenset(but))


class Operation:
    """What to do, and with which values. No dataclass: hypothesis prints those by field, a function among them."""

    def __init__(self, name: str, run: Callable[[Side], Awaitable[Any]]) -> None:
        self.name, self.run = name, run

    def __repr__(self) -> str:
        return self.name


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    item = draw(st.sampled_from(_REQUESTED))
    number = draw(st.integers(1, 3))
    message = draw(st.sampled_from([f"m{number}", "m1"]))
    now_ms = NOW_MS + draw(st.integers(0, 5)) * (LEASE_MS // 2)
    run = draw(st.sampled_from([1, 1, 2]))
    return Claim(item.job_id, item.key, message, f"o{number}", now_ms, now_ms + LEASE_MS, item.call_id, run)


@st.composite
def changes(draw: st.DrawFn, job_id: str, done: str = "") -> Changes:
    """What some commit writes: never the item that it is of, nor a request, which the store makes by itself."""
    job = replace(a_job(job_id, reads_history=draw(st.booleans())), best_answer=draw(_ANSWERS), compacted=draw(_RANGES))
    others = [item for item in ITEMS[job_id] if item.key != done and item.kind is not ItemKind.SLOT_REQUEST]
    items = draw(st.lists(st.sampled_from(others), max_size=5, unique_by=waits_once))
    calls = [replace(record_of(item), dependants=_DEPENDANTS) for item in items if item.call_id]
    text = draw(_TEXTS)
    ends = draw(st.integers(0, 9)) == 0
    again = not done and not ends and job_id in (JOB_ID, "job_b") and draw(st.integers(0, 3)) == 0
    join: Join | None = draw(st.sampled_from([None, next_turn(job_id)]))
    ended, retried = replace(job, status=JobStatus.COMPLETED), replace(job, run=2)
    return Changes(
        job=ended if ends else retried if again else draw(st.sampled_from([None, job])),
        begins_again=again,
        forgets=tuple(record.id for record in calls[:2]) if again else (),
        items=() if ends else tuple(items),
        skips=tuple(
            Skip(item.key, record_of(item), '{"error":{}}', ("skipped",))
            for item in draw(st.lists(st.sampled_from(ITEMS[job_id][-2:]), max_size=1))
        ),
        join=None if ends else join,
        calls=tuple({record.id: record for record in calls}.values()),
        results=results_of(done, calls),
        admitted=draw(st.booleans()),
        later_epoch=draw(st.sampled_from([0, 0, 0, FIRST_EPOCH, NOW_MS + LEASE_MS])),
        transcript=draw(st.sampled_from([(), ('{"a":1}', '{"b":"/"}'), _STREAMED_TEXT[job_id]])),
        parts=(text, _EVENT) if text else (),
        text_stream=draw(st.sampled_from([None, *_TEXT_STREAMS])) if done else None,
        ends=ends,
        closing=("closing",) if ends else (),
        report=draw(_REPORTS) if ends and job_id == f"{JOB_ID}.1" else None,
        spends=draw(st.sampled_from([None, Spend(1, 2, 30, 0.25)])) if job_id == f"{JOB_ID}.1" else None,
        child=draw(st.sampled_from([None, creation(a_job(_CHILD), slot=False)]))
        if job_id == JOB_ID and not ends
        else None,
    )


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    claim, kind = draw(claims()), draw(st.sampled_from(_KINDS))
    return _WAYS[kind](draw, claim)


def _begin(_draw: st.DrawFn, claim: Claim) -> Operation:
    return Operation(f"begin {claim}", lambda side: side.store.claim(claim))


def _commit(draw: st.DrawFn, claim: Claim) -> Operation:
    change = draw(changes(claim.job_id, claim.item_key))
    on = draw(st.none() | rooms(claim, ITEMS[claim.job_id]))
    return Operation(f"commit {claim} {change} {on}", lambda side: side.store.commit(claim, change, on))


def _create(draw: st.DrawFn, claim: Claim) -> Operation:
    slot = draw(st.booleans())
    new = creation(a_job(claim.job_id), slot=slot)

    async def run(side: Side) -> Any:
        try:
            return await side.store.create(new, claim.message_id, claim.now_ms)
        except JobGoneError as error:
            return str(error)

    return Operation(f"create {claim.job_id} by {claim.message_id}, slot {slot}", run)


def _undelivered(draw: st.DrawFn, claim: Claim) -> Operation:
    source = draw(st.sampled_from(["m1", "m2"]))
    return Operation(f"undelivered {claim} of {source}", lambda side: side.store.undelivered(claim, source))


def _sweep(draw: st.DrawFn, claim: Claim) -> Operation:
    root, wants = root_of(claim.job_id), st.sampled_from(_WANTS)
    epochs = st.sampled_from([FIRST_EPOCH, *(NOW_MS + n * (LEASE_MS // 2) for n in range(5))])
    slot_table: SlotTable = {
        job_id: QueueEntry(
            "tenant_a", "session_a", 5, NOW_MS, epoch=draw(epochs), want=draw(wants), slot=draw(st.booleans())
        )
        for job_id in draw(st.lists(st.sampled_from(JOB_IDS), unique=True))
    }
    return Operation(
        f"look {root} by {claim.message_id} at {claim.now_ms} with {slot_table}",
        lambda side: side.store.reconcile(root, claim.message_id, claim.now_ms, 60_000, slot_table),
    )


def _fact(draw: st.DrawFn, claim: Claim) -> Operation:
    change = draw(changes(claim.job_id))

    async def run(side: Side) -> Any:
        loaded = await side.store.load(claim.job_id)
        if loaded is None:
            return None
        recorded, pending = await side.store.record(loaded, claim.message_id, change, claim.now_ms)
        return loaded.job, recorded, by_key(pending)  # the version is a text of the side's own

    return Operation(f"fact {claim} {change}", run)


def _tell(draw: st.DrawFn, claim: Claim) -> Operation:
    signal_id, outcome = draw(st.sampled_from(["f1", "f2"])), draw(st.sampled_from(['{"ok":1}', '{"ok":2}']))
    by_call = draw(st.booleans())
    signal = Signal(signal_id, outcome, claim.call_id) if by_call else Signal(signal_id, outcome, "", draw(_EVENTS))
    return Operation(
        f"tell {claim.job_id} by {claim.message_id} of {signal}",
        lambda side: side.store.signal(claim.job_id, claim.message_id, signal, claim.now_ms),
    )


def _append(draw: st.DrawFn, claim: Claim) -> Operation:
    sequence, text_id = draw(st.integers(0, 3)), draw(_TEXT_IDS)
    parts = draw(st.lists(_TEXTS, max_size=2))
    name = f"append {claim} {sequence} {parts} {text_id}"
    return Operation(name, lambda side: side.store.append(claim, sequence, parts, text_id))


def _remove(draw: st.DrawFn, claim: Claim) -> Operation:
    found = draw(st.booleans())

    async def run(side: Side) -> Any:
        recalled = await side.archive.recall(claim.job_id)
        if recalled is None or is_child(claim.job_id):
            return recalled and recalled.ended.job, await side.archive.tombstone(claim.job_id)
        recalled = recalled if found else replace(recalled, slot_requests=())
        removed = await side.archive.remove(recalled)
        ended = replace(recalled.ended, calls=tuple(sorted(recalled.ended.calls, key=lambda call: call.id)))
        requests = by_key(unsent.slot_request for unsent in recalled.slot_requests)
        return ended, requests, removed, await side.archive.tombstone(claim.job_id)

    return Operation(f"remove {claim.job_id}, told {found}", run)


def _read(_draw: st.DrawFn, claim: Claim) -> Operation:
    return Operation(f"read {claim.job_id}", lambda side: side.reader.job(claim.job_id))


_WAYS: dict[str, Callable[[st.DrawFn, Claim], Operation]] = {
    "create": _create,
    "begin": _begin,
    "commit": _commit,
    "undelivered": _undelivered,
    "look": _sweep,
    "fact": _fact,
    "append": _append,
    "tell": _tell,
    "remove": _remove,
    "read": _read,
}
_KINDS = [*_WAYS, "begin", "begin", "begin", "commit", "commit", "commit", "commit"]
