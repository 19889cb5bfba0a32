"""The operations on a tree, each as one step on a draft of it: it changes the draft, and returns the answer.

Invariant: a step reads nothing but its draft and arguments. The store compares and writes, and repeats the step on a
draft of a newer tree where another write has come first. Usage and expiry are the store's.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from baton.engine.all_jobs.ends import COUNTED
from baton.engine.all_jobs.slots import SlotTable
from baton.engine.commit.answers import (
    Claim,
    ClaimResult,
    Committed,
    Created,
    Loaded,
    PendingItems,
    Recalled,
    Reconciled,
    Recorded,
    Removed,
    Signal,
    SignalAnswer,
    SignalResult,
    Tombstone,
    Undelivered,
    UnsentRequest,
    Verdict,
)
from baton.engine.commit.claiming import (
    count_late,
    dispatch,
    drop_items_of,
    end_jobs,
    ends_otherwise,
    finish,
    give_up,
    grant,
    inline_continuation,
    is_anew,
    release,
    steered,
)
from baton.engine.commit.codec import require_open, require_readable
from baton.engine.commit.draft import Draft
from baton.engine.commit.stored_bytes import signal_bytes, written_bytes
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes
from baton.engine.job_retry import EndedJob
from baton.engine.outbox import Continuation
from baton.engine.state import NOTHING_USED, CallRecord, Job, State, Usage
from baton.engine.transcript import recalled as remembered
from baton.engine.work_items import ItemKind, WorkItem, loop_item
from baton.sdk.records.limits import NOTHING_USED_YET
from baton_events.errors import JobGoneError
from baton_events.ids import is_child, root_of


def change(draft: Draft, job_id: str, message_id: str, changes: Changes, now_ms: int) -> None:
    """Make these changes of one of the draft's jobs."""
    _change_items(draft, job_id, message_id, changes, now_ms)
    job = changes.job
    if job:
        known = draft.jobs[job_id]  # what came while this turn was at work stays
        if known.cancelling and not (job.cancelling or job.ended):  # the next one tells of it
            job = replace(job, cancelling=known.cancelling)
        if known.in_flight != job.in_flight:
            late = known.before - job.before if known.run == job.run else NOTHING_USED_YET
            job = replace(job, in_flight=known.in_flight, used=job.used + late, before=job.before + late)
        if known.begun != job.begun:
            job = replace(job, begun=known.begun)
        draft.put_job(job)
    draft.put_calls(job_id, *changes.calls)
    draft.put_results(job_id, changes.results)
    draft.add_entries(job_id, changes.transcript)
    draft.add_parts(job_id, changes.parts)
    job = draft.jobs[job_id]
    if job.model.runs_code or job.scripts or changes.took:  # it goes on whenever a call has ended
        _take_news(draft, job_id, message_id, changes, now_ms)
    if changes.admitted:
        draft.admit(job_id, message_id, now_ms)
    draft.unblock(message_id, now_ms)
    draft.settle(job_id, message_id, now_ms, changes.later_epoch)
    if changes.report:
        draft.report(changes.report.call_id, changes.report.outcome, message_id, now_ms)
    if changes.needed_until_ms:
        for record in changes.calls:
            draft.need(record.id, changes.needed_until_ms)
    if changes.spends:
        draft.add_spend(job_id, changes.spends)
    if changes.child and changes.child.job:
        create_job(draft, changes.child.job, changes.child, message_id)
        draft.put_usage(changes.child.job.id, Usage(updated_ms=now_ms))
    if changes.ends:
        end_jobs(draft, f"{job_id}.", changes.closing, message_id, now_ms)


def _take_news(draft: Draft, job_id: str, message_id: str, changes: Changes, now_ms: int) -> None:
    """Note what has ended and what a turn has taken. What is left is for the next turn, added unless there is one.

    Nothing else begins a turn of code, so each end is told once, and none is forgotten.
    """
    for call_id in changes.ended:
        draft.note_end(call_id, now_ms)
    draft.forget_ends(changes.took)
    if changes.gives_up:
        give_up(draft, job_id, changes, message_id, now_ms)
    job = draft.jobs[job_id]
    is_cancelled = job.cancelling is not None and not job.cancelling.is_seen
    if not job.ended and (is_cancelled or draft.news(job_id)) and not draft.has_turn(job_id):
        draft.put_items(replace(loop_item(job_id, job.turn + 1, 1, now_ms), relay_id=message_id))


def _change_items(draft: Draft, job_id: str, message_id: str, changes: Changes, now_ms: int) -> None:
    if changes.begins_again:
        draft.begin_again(job_id, changes.forgets, from_start=bool(changes.job and not changes.job.stretch))
    held_until_ms = drop_items_of(draft, job_id, now_ms) if changes.ends else 0
    for skip in changes.skips:
        if skip.item_key in draft.items:
            draft.skip(skip)
            draft.drop_items(skip.item_key)
    new = [
        replace(item, relay_id="" if item.after and item.kind is ItemKind.CALL else message_id)
        for item in changes.items
        if item.key not in draft.items
    ]
    if held_until_ms:  # a workspace is released when no step can work there any more
        releases = [item for item in new if item.kind is ItemKind.RELEASE]
        others = [item for item in new if item.kind is not ItemKind.RELEASE]
        new = [*others, *[replace(item, not_before_ms=held_until_ms) for item in releases]]
    join = changes.join
    groups = {item.group for item in (*draft.items.values(), *new)} if join else ()
    if join and join.group not in groups and join.item.key not in draft.items:
        new.append(replace(join.item, relay_id=message_id))
    draft.put_items(*new)
    waits = next((item.key for item in changes.items if item.kind is ItemKind.WAIT), "")
    if waits:
        draft.answer_early(draft.items[waits], message_id, now_ms)


def create_job(draft: Draft, job: Job, changes: Changes, message_id: str) -> None:
    draft.put_job(job)
    if changes.slot_state:
        draft.put_slot_state(job.id, changes.slot_state)
    draft.put_items(*[replace(item, relay_id=message_id) for item in changes.items])
    draft.put_calls(job.id, *changes.calls)
    draft.add_entries(job.id, changes.transcript)
    draft.add_parts(job.id, changes.parts)


def create(draft: Draft, changes: Changes, message_id: str, now_ms: int, counted_bytes: int = 0) -> Created:
    """Write a new job, unless it is there. Raises JobGoneError: it was there, and its data is gone."""
    job = changes.job
    if job is None:
        raise ValueError("a creation needs a job")
    if job.id in draft.jobs:
        items = dispatch(draft, message_id, now_ms, free=True)
        return Created(new=False, job=draft.jobs[job.id], pending=items)
    if draft.tombstone is not None:
        raise JobGoneError(job.id)
    create_job(draft, job, changes, message_id)
    draft.put_usage(job.id, Usage(updated_ms=now_ms, written=written_bytes(changes), counted=counted_bytes))
    # The write does not depend on other jobs' work items, so the process may know older ones.
    mine = tuple([item for item in draft.pending(message_id, now_ms) if item.job_id == job.id])
    return Created(new=True, job=job, pending=mine)


def claim(draft: Draft, claim: Claim) -> ClaimResult:
    """Claim a work item for the owner of the claim.

    Raises UnreadablePayloadError: what it needs cannot be opened here.
    """
    job, item = draft.jobs.get(claim.job_id), draft.items.get(claim.item_key)
    if job is None:
        gone = root_of(claim.job_id) in draft.jobs or draft.tombstone is not None
        return ClaimResult(Verdict.APPLIED if gone else Verdict.UNKNOWN)
    if item is None:
        return ClaimResult(Verdict.APPLIED, pending=_dispatch_others(draft, claim, free=True))
    # A turn's budget may have been raised: it asks anew. A call that waits for a limit has its own time besides.
    if item.limited_by and item.kind is ItemKind.LOOP and item.not_before_ms > claim.now_ms:
        draft.wake(item, claim.message_id, claim.now_ms)
        item = draft.items[item.key]
    if (verdict := _refusal(draft, claim, item)) is not None:
        return _refused(draft, claim, item, verdict)
    require_readable(job, item)
    require_open(*draft.messages.get(job.id, {}).values())
    claim_result = grant(draft, claim, item)
    return replace(claim_result, pending=_dispatch_others(draft, claim, item.key))


def _dispatch_others(draft: Draft, claim: Claim, but: str = "", *, free: bool = False) -> PendingItems:
    """Dispatch a CLAIM's message's other items; their mark shows it to the invocations that have claimed them."""
    return dispatch(draft, claim.message_id, claim.now_ms, but, claim.owner, free=free)


def _refusal(tree: Tree, claim: Claim, item: WorkItem) -> Verdict | None:
    # An answer may come before the turn is recorded as waiting; one to a request before the last counts no more.
    if tree.held(item) or (claim.answer and claim.answer.number < item.offloaded):
        return Verdict.APPLIED
    if not claim.answer and item.not_before_ms > claim.now_ms:
        return Verdict.EARLY
    if item.owner != claim.owner and item.lease_until_ms > claim.now_ms:
        return Verdict.BUSY
    # Reading an answer is no work that needs a slot.
    return Verdict.GATED if not claim.answer and tree.gated(item, claim.now_ms) else None


def _refused(draft: Draft, claim: Claim, item: WorkItem, verdict: Verdict) -> ClaimResult:
    if verdict is Verdict.GATED:
        draft.settle(claim.job_id, claim.message_id, claim.now_ms)
    if item.relay_id == claim.message_id:  # which is about to be acknowledged
        item = release(draft, draft.items[item.key], claim.owner)
    if verdict is Verdict.GATED:
        return ClaimResult(verdict, pending=_dispatch_others(draft, claim))
    until_ms = {Verdict.EARLY: item.not_before_ms, Verdict.BUSY: item.lease_until_ms}.get(verdict, 0)
    return ClaimResult(verdict, until_ms, pending=_dispatch_others(draft, claim, item.key, free=True))


def commit(
    draft: Draft, claim: Claim, changes: Changes, continuation: Continuation | None, retention_ms: int
) -> Committed:
    """Remove the work item and write what follows from it, unless that has happened; claim items to continue with."""
    if claim.job_id not in draft.jobs:
        return Committed(applied=False)
    item, run = draft.items.get(claim.item_key), draft.jobs[claim.job_id].run
    gone = item is None or draft.blocked(item) or claim.run != run or is_anew(draft, item, claim, changes)
    applied = not gone and not ends_otherwise(draft, claim, changes)
    if applied:
        size_bytes = written_bytes(changes, claim.item_key)
        changes = finish(draft, claim, steered(draft, claim.job_id, changes))
        _change(draft, claim.job_id, claim.message_id, changes, size_bytes, claim.now_ms, retention_ms)
    late = None if applied else count_late(draft, claim)
    committed = inline_continuation(draft, claim, continuation, item if applied else None)
    return replace(committed, late=late) if late else committed


def record(
    draft: Draft, expected: Job, message_id: str, changes: Changes, now_ms: int, retention_ms: int
) -> tuple[Recorded, PendingItems]:
    """Write what follows from a command, if the job is still as expected."""
    job_id = expected.id
    if draft.jobs.get(job_id) != expected:
        return (Recorded.CHANGED if job_id in draft.jobs else Recorded.UNKNOWN), ()
    again = changes.job is None and not changes.items
    if again:  # nothing is billed: the command has been carried out before
        change(draft, job_id, message_id, changes, now_ms)
    else:
        _change(draft, job_id, message_id, changes, written_bytes(changes), now_ms, retention_ms)
    return Recorded.COMMITTED, dispatch(draft, message_id, now_ms, free=again)


def _change(
    draft: Draft, job_id: str, message_id: str, changes: Changes, size_bytes: int, now_ms: int, retention_ms: int
) -> None:
    change(draft, job_id, message_id, changes, now_ms)
    used = draft.usage.get(job_id, NOTHING_USED)
    if changes.begins_again:  # earlier usage was reported before
        before = {name: getattr(used, name) for name in COUNTED}
        used = replace(used, before=before, counted=used.written)
    draft.put_usage(job_id, replace(used, written=used.written + size_bytes, updated_ms=now_ms))
    if changes.ends and not is_child(job_id):
        draft.tombstone = Tombstone(draft.jobs[job_id].tenant, deleted=False)
        draft.expires_ms = now_ms + draft.kept_ms(now_ms, retention_ms)


def signal(
    draft: Draft, job_id: str, message_id: str, signal: Signal, now_ms: int, counted_bytes: int = 0
) -> SignalAnswer:
    """End a wait by a signal, or keep the signal until there is one."""
    job = draft.jobs.get(job_id)
    if job is None and (draft.tombstone is not None or draft.is_over(root_of(job_id))):
        return SignalAnswer(SignalResult.ENDED)
    early = bool(signal.call_id) and signal.call_id not in draft.calls.get(job_id, {})
    if job is None or (early and signal.run > job.run):
        return SignalAnswer(SignalResult.UNKNOWN)
    results = draft.results.get(job_id, {})
    known = (
        draft.message(job_id, signal.id)
        if signal.message
        else results.get(signal.call_id or f"event:{signal.id}", results.get(f"early:{signal.call_id}"))
    )
    # Signals of a call that runs again, or sent to an earlier run, end nothing.
    over = job.ended or ((signal.call_id or signal.message) and signal.run < job.run)
    if known is not None or over:
        signal_result = (
            SignalResult.ENDED
            if known is None
            else SignalResult.AGAIN
            if known in ("", signal.message or signal.outcome)
            else SignalResult.OTHER
        )
        return SignalAnswer(signal_result, job, dispatch(draft, message_id, now_ms, free=True))
    draft.take_signal(job_id, signal, message_id, now_ms)
    draft.settle(job_id, message_id, now_ms)
    used = draft.usage.get(job_id, NOTHING_USED)
    used = replace(used, written=used.written + signal_bytes(signal), counted=used.counted + counted_bytes)
    draft.put_usage(job_id, used)
    items = dispatch(draft, message_id, now_ms)
    return SignalAnswer(SignalResult.EARLY if early else SignalResult.FIRST, job, items)


def undelivered(draft: Draft, claim: Claim, source_message_id: str, *, throttled: bool) -> Undelivered:
    """Count that the queue gave up on the source message; once for each callback message."""
    job, item = draft.jobs.get(claim.job_id), draft.items.get(claim.item_key)
    if job is None:
        return Undelivered(None)
    by_source = dispatch(draft, source_message_id, claim.now_ms, claim.item_key)
    pending = (*by_source, *dispatch(draft, claim.message_id, claim.now_ms, claim.item_key))
    if item is None:
        return Undelivered(None, pending, job.session_id)
    item = release(draft, draft.items[item.key])  # its event is published anew
    if f",{claim.message_id}," not in f",{item.counted}":
        item = replace(item, replayed=item.replayed + throttled, undelivered=item.undelivered + (not throttled))
        item = replace(item, counted=f"{item.counted}{claim.message_id},")
        draft.put_items(item)
    call = draft.calls.get(claim.job_id, {}).get(claim.call_id)
    return Undelivered(State(job, item, call), pending, job.session_id)


def reconcile(
    draft: Draft,
    root_id: str,
    message_id: str,
    now_ms: int,
    stalled_after_ms: int,
    slot_table: SlotTable,
    only: str = "",
) -> Reconciled:
    """Make this message the relay of work items without progress; repeat requests that the admission forgot."""
    if root_id not in draft.jobs:
        return Reconciled(known=False)
    stalled: list[WorkItem] = []
    for job_id in sorted(name for name in draft.jobs if name == only or not only):
        draft.settle(job_id, message_id, now_ms)
        entry = slot_table.get(job_id)
        # A failover may forget a young entry, and then only the message of who made it finds the job again.
        may_request = now_ms - draft.requested_ms(job_id) > stalled_after_ms / 2 or draft.is_relayed(job_id, message_id)
        if may_request and not draft.agrees(job_id, entry):
            draft.request_slot(job_id, draft.slot_state(job_id).want, message_id, now_ms)
        found = draft.without_progress(job_id, entry, message_id, now_ms, stalled_after_ms)
        draft.put_items(*found)
        stalled += found
    forgotten = tuple(sorted(name for name in slot_table if root_of(name) == root_id and name not in draft.jobs))
    return Reconciled(
        known=True,
        stalled=tuple(stalled),
        session_id=draft.jobs[root_id].session_id,
        ended=draft.over(),
        forgotten=forgotten,
    )


def append(draft: Draft, claim: Claim, sequence: int, parts: Sequence[str], text_id: str) -> bool:
    """Append parts once, in mid-work, only while the claim holds the work item; return whether it does.

    False, too, where earlier parts of the open text are missing.
    """
    item = draft.items.get(claim.item_key)
    if item is None or item.owner != claim.owner or (text_id and item.appended < sequence - 1):
        return False
    if parts and item.appended < sequence:
        draft.put_items(replace(item, appended=sequence, text_id=text_id or item.text_id))
        draft.add_parts(claim.job_id, tuple(parts))
    return True


def recalled(tree: Tree, loaded: Loaded, calls: Iterable[CallRecord], entries: int, head: Sequence[str]) -> Recalled:
    """Return a job for a decision on its retry or removal. `entries`, `head`: its transcript's length and beginning."""
    job_id = loaded.job.id
    ended = EndedJob(loaded.job, tuple(calls), entries, 2 if remembered(head) else 1, frozenset(tree.news(job_id)))
    unsent = tuple(
        UnsentRequest(item, tree.jobs[item.job_id], tree.usage.get(item.job_id, NOTHING_USED))
        for item in _slot_requests(tree.items)
    )
    written = {
        name: (other.finished_at_ms or 0, tree.usage.get(name, NOTHING_USED).written)
        for name, other in tree.jobs.items()
        if other.ended and (name == job_id or name.startswith(f"{job_id}."))
    }
    has_workspace = any(item.kind is ItemKind.RELEASE for item in tree.items.values())
    return Recalled(loaded, ended, unsent, written, has_workspace)


def removal(tree: Tree, recalled: Recalled) -> Removed:
    """Decide on a removal. A slot request that is removed before it is sent would leak its slot."""
    job, sent = recalled.loaded.job, {unsent.slot_request.key for unsent in recalled.slot_requests}
    if job.id not in tree.jobs:
        return Removed.UNKNOWN
    unsent = any(item.key not in sent for item in _slot_requests(tree.items))
    return Removed.CHANGED if unsent or tree.jobs[job.id] != job or not job.ended else Removed.REMOVED


def _slot_requests(items: Mapping[str, WorkItem]) -> list[WorkItem]:
    return [items[key] for key in sorted(items) if items[key].kind is ItemKind.SLOT_REQUEST]
