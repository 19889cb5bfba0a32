"""The operations on a tree, each as one pure step: it returns the new tree and the answer.

Invariant: a step that changes nothing returns the same tree. The store compares and writes, and repeats the step on a
newer tree where another write has come first.
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
    appended,
    dispatched,
    done,
    ends_otherwise,
    granted,
    inline_continuation,
    is_anew,
    released,
    steered,
)
from baton.engine.commit.stored_bytes import signal_bytes, written_bytes
from baton.engine.commit.tree import Tree
from baton.engine.commit.writing import changed, created
from baton.engine.effects import Changes
from baton.engine.job_retry import EndedJob
from baton.engine.outbox import Continuation
from baton.engine.state import NOTHING_USED, CallRecord, Job, State, Usage
from baton.engine.transcript import recalled as remembered
from baton.engine.work_items import ItemKind, WorkItem
from baton_events.errors import JobGoneError
from baton_events.ids import is_child, root_of


def create(tree: Tree, changes: Changes, message_id: str, now_ms: int, counted_bytes: int = 0) -> tuple[Tree, Created]:
    """Write a new job, unless it is there.

    Raises:
        JobGoneError: it was there, and its data is gone.
    """
    job = changes.job
    if job is None:
        raise ValueError("a creation needs a job")
    if job.id in tree.jobs:
        tree, items = dispatched(tree, message_id, now_ms, free=True)
        return tree, Created(new=False, job=tree.jobs[job.id], pending=items)
    if tree.tombstone is not None:
        raise JobGoneError(job.id)
    tree = created(tree, job, changes, message_id)
    used = Usage(updated_ms=now_ms, written=written_bytes(changes), counted=counted_bytes)
    tree = replace(tree, usage={**tree.usage, job.id: used})
    # The write does not depend on other jobs' work items, so the process may know older ones.
    mine = tuple([item for item in tree.pending(message_id, now_ms) if item.job_id == job.id])
    return tree, Created(new=True, job=job, pending=mine)


def claim(tree: Tree, claim: Claim) -> tuple[Tree, ClaimResult]:
    """Claim a work item for the owner of the claim."""
    job, item = tree.jobs.get(claim.job_id), tree.items.get(claim.item_key)
    if job is None:
        gone = root_of(claim.job_id) in tree.jobs or tree.tombstone is not None
        return tree, ClaimResult(Verdict.APPLIED if gone else Verdict.UNKNOWN)
    if item is None:
        tree, items = _others(tree, claim, free=True)
        return tree, ClaimResult(Verdict.APPLIED, pending=items)
    if item.limited_by and item.not_before_ms > claim.now_ms:  # its budget may have been raised: it asks anew
        tree = tree.woken(item, claim.message_id, claim.now_ms)
        item = tree.items[item.key]
    verdict = _refusal(tree, claim, item)
    if verdict is not None:
        return _refused(tree, claim, item, verdict)
    tree, claim_result = granted(claim, tree, item)
    tree, items = _others(tree, claim, item.key)
    return tree, replace(claim_result, pending=items)


def _others(tree: Tree, claim: Claim, but: str = "", *, free: bool = False) -> tuple[Tree, PendingItems]:
    """Dispatch a CLAIM's message's other items; their mark shows it to the invocations that have claimed them."""
    return dispatched(tree, claim.message_id, claim.now_ms, but, claim.owner, free=free)


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


def _refused(tree: Tree, claim: Claim, item: WorkItem, verdict: Verdict) -> tuple[Tree, ClaimResult]:
    if verdict is Verdict.GATED:
        tree = tree.settled(claim.job_id, claim.message_id, claim.now_ms)
    if item.relay_id == claim.message_id:  # which is about to be acknowledged
        tree, item = released(tree, tree.items[item.key], claim.owner)
    if verdict is Verdict.GATED:
        tree, items = _others(tree, claim)
        return tree, ClaimResult(verdict, pending=items)
    until_ms = {Verdict.EARLY: item.not_before_ms, Verdict.BUSY: item.lease_until_ms}.get(verdict, 0)
    tree, items = _others(tree, claim, item.key, free=True)
    return tree, ClaimResult(verdict, until_ms, pending=items)


def commit(
    tree: Tree, claim: Claim, changes: Changes, continuation: Continuation | None, retention_ms: int
) -> tuple[Tree, Committed]:
    """Remove the work item and write what follows from it, unless that has happened; claim items to continue with."""
    if claim.job_id not in tree.jobs:
        return tree, Committed(applied=False)
    item = tree.items.get(claim.item_key)
    gone = item is None or tree.blocked(item) or claim.run != tree.jobs[claim.job_id].run or is_anew(item, claim)
    applied = not gone and not ends_otherwise(tree, claim, changes)
    if applied:
        size_bytes = written_bytes(changes, claim.item_key)
        tree, changes = done(tree, claim, steered(tree, claim.job_id, changes))
        tree = _changed(tree, claim.job_id, claim.message_id, changes, size_bytes, claim.now_ms, retention_ms)
    tree, committed = inline_continuation(claim, tree, continuation, item if applied else None)
    return tree, committed


def record(
    tree: Tree, expected: Job, message_id: str, changes: Changes, now_ms: int, retention_ms: int
) -> tuple[Tree, tuple[Recorded, PendingItems]]:
    """Write what follows from a command, if the job is still as expected."""
    job_id = expected.id
    if tree.jobs.get(job_id) != expected:
        return tree, ((Recorded.CHANGED if job_id in tree.jobs else Recorded.UNKNOWN), ())
    again = changes.job is None and not changes.items
    if again:  # nothing is billed: the command has been carried out before
        tree = changed(tree, job_id, message_id, changes, now_ms)
    else:
        tree = _changed(tree, job_id, message_id, changes, written_bytes(changes), now_ms, retention_ms)
    tree, items = dispatched(tree, message_id, now_ms, free=again)
    return tree, (Recorded.COMMITTED, items)


def _changed(
    tree: Tree, job_id: str, message_id: str, changes: Changes, size_bytes: int, now_ms: int, retention_ms: int
) -> Tree:
    tree = changed(tree, job_id, message_id, changes, now_ms)
    used = tree.usage.get(job_id, NOTHING_USED)
    if changes.begins_again:  # earlier usage was reported before
        before = {name: getattr(used, name) for name in COUNTED}
        used = replace(used, before=before, counted=used.written)
    used = replace(used, written=used.written + size_bytes, updated_ms=now_ms)
    tree = replace(tree, usage={**tree.usage, job_id: used})
    if not changes.ends or is_child(job_id):
        return tree
    tombstone = Tombstone(tree.jobs[job_id].tenant, deleted=False)
    return replace(tree, expires_ms=now_ms + tree.kept_ms(now_ms, retention_ms), tombstone=tombstone)


def signal(
    tree: Tree, job_id: str, message_id: str, signal: Signal, now_ms: int, counted_bytes: int = 0
) -> tuple[Tree, SignalAnswer]:
    """End a wait by a signal, or keep the signal until there is one."""
    job = tree.jobs.get(job_id)
    if job is None and tree.tombstone is not None:
        return tree, SignalAnswer(SignalResult.ENDED)
    early = bool(signal.call_id) and signal.call_id not in tree.calls.get(job_id, {})
    if job is None or (early and signal.run > job.run):
        return tree, SignalAnswer(SignalResult.UNKNOWN)
    results = tree.results.get(job_id, {})
    known = (
        tree.message(job_id, signal.id)
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
        tree, items = dispatched(tree, message_id, now_ms, free=True)
        return tree, SignalAnswer(signal_result, job, items)
    tree = tree.signalled(job_id, signal, message_id, now_ms).settled(job_id, message_id, now_ms)
    used = tree.usage.get(job_id, NOTHING_USED)
    used = replace(used, written=used.written + signal_bytes(signal), counted=used.counted + counted_bytes)
    tree = replace(tree, usage={**tree.usage, job_id: used})
    tree, items = dispatched(tree, message_id, now_ms)
    return tree, SignalAnswer(SignalResult.EARLY if early else SignalResult.FIRST, job, items)


def undelivered(tree: Tree, claim: Claim, source_message_id: str, *, throttled: bool) -> tuple[Tree, Undelivered]:
    """Count that the queue gave up on the source message; once for each callback message."""
    job, item = tree.jobs.get(claim.job_id), tree.items.get(claim.item_key)
    if job is None:
        return tree, Undelivered(None)
    tree, by_source = dispatched(tree, source_message_id, claim.now_ms, claim.item_key)
    tree, by_callback = dispatched(tree, claim.message_id, claim.now_ms, claim.item_key)
    pending = (*by_source, *by_callback)
    if item is None:
        return tree, Undelivered(None, pending, job.session_id)
    tree, item = released(tree, tree.items[item.key])  # its event is published anew
    if f",{claim.message_id}," not in f",{item.counted}":
        item = replace(item, replayed=item.replayed + throttled, undelivered=item.undelivered + (not throttled))
        item = replace(item, counted=f"{item.counted}{claim.message_id},")
        tree = replace(tree, items={**tree.items, item.key: item})
    call = tree.calls.get(claim.job_id, {}).get(claim.call_id)
    return tree, Undelivered(State(job, item, call), pending, job.session_id)


def reconcile(
    tree: Tree, root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
) -> tuple[Tree, Reconciled]:
    """Make this message the relay of work items without progress; repeat requests that the admission forgot."""
    if root_id not in tree.jobs:
        return tree, Reconciled(known=False)
    stalled: list[WorkItem] = []
    for job_id in sorted(name for name in tree.jobs if name == only or not only):
        tree = tree.settled(job_id, message_id, now_ms)
        entry = slot_table.get(job_id)
        if not tree.agrees(job_id, entry) and now_ms - tree.requested_ms(job_id) > stalled_after_ms / 2:
            tree = tree.requesting_slot(job_id, tree.slot_state(job_id).want, message_id, now_ms)
        found = tree.without_progress(job_id, entry, message_id, now_ms, stalled_after_ms)
        tree = replace(tree, items={**tree.items, **{item.key: item for item in found}}) if found else tree
        stalled += found
    forgotten = tuple(sorted(name for name in slot_table if root_of(name) == root_id and name not in tree.jobs))
    return tree, Reconciled(
        known=True,
        stalled=tuple(stalled),
        session_id=tree.jobs[root_id].session_id,
        ended=tree.over(),
        forgotten=forgotten,
    )


def append(tree: Tree, claim: Claim, sequence: int, parts: Sequence[str], text_id: str) -> tuple[Tree, bool]:
    """Append parts in mid-work, only while the claim holds the work item."""
    after = appended(claim, tree, sequence, parts, text_id)
    return (tree, False) if after is None else (after, True)


def recalled(tree: Tree, loaded: Loaded, calls: Iterable[CallRecord], entries: int, head: Sequence[str]) -> Recalled:
    """Return a job for a decision on its retry or removal. `entries`, `head`: its transcript's length and beginning."""
    job_id = loaded.job.id
    ended = EndedJob(loaded.job, tuple(calls), entries, 2 if remembered(head) else 1)
    unsent = tuple(
        UnsentRequest(item, tree.jobs[item.job_id], tree.usage.get(item.job_id, NOTHING_USED))
        for item in _slot_requests(tree.items)
    )
    written = {
        name: (other.finished_at_ms or 0, tree.usage.get(name, NOTHING_USED).written)
        for name, other in tree.jobs.items()
        if other.ended and (name == job_id or name.startswith(f"{job_id}."))
    }
    return Recalled(loaded, ended, unsent, written)


def removal(tree: Tree, recalled: Recalled) -> Removed:
    """Decide on a removal. A slot request that is removed before it is sent would leak its slot."""
    job, sent = recalled.loaded.job, {unsent.slot_request.key for unsent in recalled.slot_requests}
    if job.id not in tree.jobs:
        return Removed.UNKNOWN
    unsent = any(item.key not in sent for item in _slot_requests(tree.items))
    return Removed.CHANGED if unsent or tree.jobs[job.id] != job or not job.ended else Removed.REMOVED


def _slot_requests(items: Mapping[str, WorkItem]) -> list[WorkItem]:
    return [items[key] for key in sorted(items) if items[key].kind is ItemKind.SLOT_REQUEST]
