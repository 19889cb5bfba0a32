"""Claims: granting an item, appending under its claim, and releasing it.

Invariant: a text that is open belongs to the work item that its owner holds; taking or removing the work item closes
it.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from msgspec.structs import replace

from baton.engine import attempts, stream_parts
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Verdict
from baton.engine.commit.codec import is_open
from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation, invocation_of, is_released, may_continue, of_one_invocation
from baton.engine.state import NOTHING_USED, Job, State
from baton.engine.step_results import spent_by
from baton.engine.transitions import JobStatus, Step, next_call_status
from baton.engine.waits import APPROVALS
from baton.engine.work_items import CLOCK_ERROR_MS, WORK_KINDS, ItemKind, WorkItem, release_item
from baton.sdk.records.limits import NOTHING_USED_YET, Spend
from baton.sdk.records.transcript import Failure
from baton_events.ids import is_child, step_number

_APPEND_COMMANDS = 4


def take(draft: Draft, claim: Claim, item: WorkItem) -> WorkItem:
    """Claim the work item; return it as claimed."""
    if item.owner == claim.owner:
        return item
    let_go(draft, item)
    if item.kind is ItemKind.LOOP and not item.offloaded and not claim.answer:  # else its model was asked before
        _add_messages(draft, item.job_id)
    if item.kind is ItemKind.CALL and item.step and item.attempt == 1 and not item.claimed_ms:
        draft.add_parts(item.job_id, (stream_parts.step_started(item.step, item.call_id, item.tool),))
    # A slot request has no lease: where another invocation takes it over, the first one's message may be over already.
    over = bool(item.owner) and not of_one_invocation(item.owner, claim.owner)
    taken = over and item.kind is ItemKind.SLOT_REQUEST
    if over:  # its last sign of life: leases are of one length
        lose(draft, item, item.lease_until_ms - claim.lease_until_ms + claim.now_ms, stream_parts.DIED)
    # Dispatched by another message since this CLAIM was made: its own may have been answered meanwhile.
    late = item.relay_id != claim.message_id and item.since_ms - CLOCK_ERROR_MS > claim.now_ms
    held = replace(
        item,
        owner=claim.owner,
        relay_id=claim.message_id,
        claimed_ms=claim.now_ms,
        appended=0,
        text_id="",
        limited_by="",
        redelivered=taken or late or (item.redelivered and item.relay_id == claim.message_id),
        lost=item.lost + (1 if item.owner and item.kind is ItemKind.LOOP else 0),
        abandoned=item.abandoned + (1 if over and not taken else 0),
        lease_until_ms=claim.now_ms if item.kind is ItemKind.SLOT_REQUEST else claim.lease_until_ms,
    )
    draft.put_items(held)
    return held


def grant(draft: Draft, claim: Claim, item: WorkItem) -> ClaimResult:
    """Claim the work item; return the claim's result without the history."""
    item = take(draft, claim, item)
    outcome, job = "", draft.jobs[item.job_id]
    if item.kind is ItemKind.WAIT:
        known = draft.results.get(job.id, {}).get(item.call_id)
        outcome = item.timeout_result if known is None else known
        draft.put_results(job.id, {item.call_id: outcome})
    calls = draft.calls.get(job.id, {})
    record = calls.get(item.call_id)
    fails = record is not None and item.kind in (ItemKind.FAILED, ItemKind.WAIT)
    dependants = tuple(calls[name] for name in record.dependants if name in calls) if record and fails else ()
    scopes = draft.budget_scopes(item, claim.now_ms)
    news = draft.news(job.id) if item.kind is ItemKind.LOOP and (job.model.runs_code or job.scripts) else {}
    state = State(job, item, record, outcome, dependants, scopes, news=news)
    return ClaimResult(Verdict.GRANTED, state=state)


def _add_messages(draft: Draft, job_id: str) -> None:
    for at, entry in sorted(draft.messages.get(job_id, {}).items()):
        if entry:
            draft.add_parts(job_id, (stream_parts.user_message(entry),))
            draft.put_message(job_id, at, "")
            draft.add_entries(job_id, (entry,))


def steered(tree: Tree, job_id: str, changes: Changes) -> Changes:
    """Return the changes; where they end a job to which a message came meanwhile, it goes on with another turn."""
    going_on = changes.going_on
    if going_on is None or not any(tree.messages.get(job_id, {}).values()):
        return changes
    job, items, parts = going_on.job, going_on.items, going_on.parts
    return replace(changes, job=job, items=items, parts=parts, ends=False, closing=(), report=None)


def dispatch(
    draft: Draft, message_id: str, now_ms: int, but: str = "", owner: str = "", *, free: bool = False
) -> tuple[WorkItem, ...]:
    """Mark the work items that a message must dispatch, but for those that `owner`'s invocation has claimed.

    `free`: also those without a claim.
    """
    dispatching = tuple([release(draft, item, owner, free=free) for item in draft.pending(message_id, now_ms, (but,))])
    for item in draft.begun_with_slot(message_id, now_ms, but):
        release(draft, item, owner)
    return dispatching


def release(draft: Draft, item: WorkItem, owner: str = "", *, free: bool = False) -> WorkItem:
    """Mark a claimed work item as dispatched by another invocation than its owner's; `free`: also an unclaimed one."""
    if not (item.owner or free) or item.redelivered or (owner and of_one_invocation(item.owner, owner)):
        return item
    item = replace(item, redelivered=True)
    draft.put_items(item)
    return item


def inline_continuation(
    draft: Draft, claim: Claim, continuation: Continuation | None, done: WorkItem | None
) -> Committed:
    """Claim the work items that the invocation has capacity for, without those in progress in it.

    `done`: the work item that the COMMIT removed, None where it was not applied.
    """
    rest: list[WorkItem] = []
    taken: list[ClaimResult] = []
    lost = done is not None and (done.redelivered or (continuation is not None and is_released(done, claim.owner)))
    at_most = continuation.at_most if continuation and done and not lost else 0
    busy = _at_work_beside(draft, claim, continuation) if continuation else frozenset[str]()
    for item in draft.pending(claim.message_id, claim.now_ms, busy):
        capacity = continuation is not None and len(taken) < at_most and _continues(claim, draft, item, continuation)
        if continuation is not None and (capacity or item.owner == continuation.owner):
            until_ms = claim.now_ms + continuation.leases_ms.get(item.kind, 0)
            mine = replace(
                claim, job_id=item.job_id, item_key=item.key, owner=continuation.owner, lease_until_ms=until_ms
            )
            taken.append(grant(draft, mine, item))
        elif (
            continuation is None
            or item.lease_until_ms <= claim.now_ms
            or not of_one_invocation(item.owner, claim.owner)
        ):
            rest.append(release(draft, item, claim.owner, free=lost))
    return Committed(done is not None, tuple(rest), tuple(taken))


def _at_work_beside(tree: Tree, claim: Claim, continuation: Continuation) -> frozenset[str]:
    """Return the items that this invocation works on at the same time: none of them is its COMMIT's to tell."""
    name, now_ms, items = invocation_of(claim.owner), claim.now_ms, tree.items
    known = [items[key] for key in continuation.but if key in items]
    held = [each for each in known if each.lease_until_ms > now_ms and each.owner != continuation.owner]
    return frozenset([each.key for each in held if invocation_of(each.owner) == name])


def _continues(claim: Claim, tree: Tree, item: WorkItem, continuation: Continuation) -> bool:
    free = item.key not in continuation.but and item.free_at_ms() <= claim.now_ms
    near = item.job_id == claim.job_id or item.kind is ItemKind.SLOT_REQUEST
    # What cannot be opened here is left to another process: a turn takes the messages to its job, too.
    opened = not (tree.jobs[item.job_id].sealed or item.sealed)
    if item.kind is ItemKind.LOOP and item.job_id in tree.messages:
        opened = opened and all(map(is_open, tree.messages[item.job_id].values()))
    return free and near and opened and may_continue(tree.jobs[item.job_id], item, continuation.leases_ms)


def let_go(draft: Draft, item: WorkItem, rest: tuple[str, ...] | None = None) -> None:
    """Count the parts appended under the item's claim, and close its open text: by `rest`, or as abandoned."""
    job_id = item.job_id
    if rest is None:
        rest = stream_parts.abandoned(item.text_id) if item.text_id else ()
    draft.add_parts(job_id, rest)
    if not item.appended:
        return
    used = draft.usage.get(job_id, NOTHING_USED)
    used = replace(
        used,
        appends=used.appends + item.appended,
        redis_requests=used.redis_requests + item.appended,
        redis_commands=used.redis_commands + _APPEND_COMMANDS * item.appended,
    )
    draft.put_usage(job_id, used)


def is_anew(tree: Tree, item: WorkItem, claim: Claim, changes: Changes) -> bool:
    """Return whether a turn was added anew since it was claimed: a failover forgot the results in it.

    So is a call that runs again, for an owner of an earlier run; and a step that comes after other calls, as its plan
    was made anew. A turn that has taken the end of a call which a failover forgot is made again, too.
    """
    if changes.took and any(tree.ended.get(name) != at for name, at in changes.took.items()):
        return True
    for record in changes.calls:
        if item.after and record.id == item.call_id and item.after != ",".join(record.after.values()):
            return True
    if item.kind is ItemKind.CALL and item.offloaded != claim.looks:
        return True
    return claim.since_ms not in (0, item.since_ms) and item.owner != claim.owner


def ends_otherwise(tree: Tree, claim: Claim, changes: Changes) -> bool:
    """Return whether a wait would end with another outcome than the recorded one, or before any has come.

    The outcome was recorded when the wait was claimed. Where a failover forgot that, another one may have come, or none
    yet: then the sender repeats its signal.
    """
    item, results = tree.items[claim.item_key], tree.results.get(claim.job_id, {})
    if item.kind is not ItemKind.WAIT:
        return False
    known = results.get(item.call_id)
    open_still = known is None and item.not_before_ms > claim.now_ms
    return bool(changes.results) and (open_still or known not in (None, changes.results.get(item.call_id)))


def lose(draft: Draft, item: WorkItem, at_ms: int, why: str) -> None:
    """Tell the job's stream that work on the item has ended without a result."""
    if item.owner and item.kind in WORK_KINDS:
        call, at_ms = draft.calls.get(item.job_id, {}).get(item.call_id), max(at_ms, item.claimed_ms)
        draft.add_parts(item.job_id, (stream_parts.handled(item, at_ms, why, call=call, lost=True),))


def finish(draft: Draft, claim: Claim, changes: Changes) -> Changes:
    """Remove the finished work item. A text that is stored as its owner left it goes on, another one is written anew.

    The items that follow have the deaths of this one, even where its owner was overtaken and does not know of them.
    """
    item, text_stream = draft.items[claim.item_key], changes.text_stream
    if item.deaths:
        changes = replace(changes, items=tuple([attempts.with_deaths(following, item) for following in changes.items]))
    goes_on = text_stream and (item.owner, item.text_id, item.appended) == (
        claim.owner,
        text_stream.text_id,
        text_stream.appended,
    )
    if text_stream and not goes_on:
        changes = replace(changes, parts=(*text_stream.anew, *changes.parts))
    let_go(draft, item, text_stream.rest if text_stream and goes_on else None)
    draft.drop_items(item.key)
    return changes


def drop_items_of(draft: Draft, job_id: str, now_ms: int) -> int:
    """Remove the work items of the job; return when the last held claim of a removed item ends, or 0.

    The release of an earlier run's workspace stays, and so does what has ended untaken: a retry goes on with that.
    """
    mine = [item for item in draft.items.values() if item.job_id == job_id and item.kind is not ItemKind.RELEASE]
    # A later run of the job knows by this which calls have begun.
    if begun := [item.call_id for item in mine if item.once and (item.owner or item.lost or item.deaths)]:
        draft.put_job(replace(draft.jobs[job_id], begun=(*draft.jobs[job_id].begun, *begun)))
    if at_work := [item.owner for item in mine if item.kind is ItemKind.LOOP and item.owner]:
        job = draft.jobs[job_id]
        draft.put_job(replace(job, in_flight=(*job.in_flight, *at_work)))
    drop_items(draft, job_id, mine, now_ms)
    return max([item.lease_until_ms for item in mine if item.owner], default=0)


def drop_items(draft: Draft, job_id: str, items: Iterable[WorkItem], now_ms: int) -> None:
    """Remove these work items of the job; its stream says of each call that waits that it is over."""
    calls, parts = draft.calls.get(job_id, {}), list[str]()
    mine = sorted(items, key=attrgetter("key"))
    for item in mine:
        let_go(draft, item)
        lose(draft, item, now_ms, stream_parts.CANCELLED)
        if item.kind is ItemKind.WAIT and (item.approval_of_call or item.tool not in APPROVALS):
            parts.append(stream_parts.wait_cancelled(item, calls.get(item.approval_of_call)))
    draft.add_parts(job_id, tuple(parts))
    draft.drop_items(*[item.key for item in mine])


def give_up(draft: Draft, job_id: str, changes: Changes, message_id: str, now_ms: int) -> None:
    """End the steps that a job's code waits for no more, unless they are over.

    What waits ends, with the job that it started. Of what is at work the result is dropped, since its item is gone.
    """
    numbers, error = set(changes.gives_up), Failure("given_up", "the code waits for it no more")
    draft.forget_ends([name for name in draft.news(job_id) if step_number(name) in numbers])
    for call_id, items in draft.steps(job_id, numbers).items():
        record = draft.calls[job_id][call_id]
        drop_items(draft, job_id, items, now_ms)
        status = next_call_status(record.status, Step.CANCEL)
        draft.put_calls(job_id, replace(record, status=status, error=error, finished_at_ms=now_ms))
        draft.add_parts(job_id, (stream_parts.tool_error(call_id, error),))
        if record.child in draft.jobs:
            end_jobs(draft, record.child, changes.closing, message_id, now_ms)


def end_jobs(draft: Draft, at: str, closing: tuple[str, ...], message_id: str, now_ms: int) -> None:
    """End the jobs at and below this place: `JOB.` is below a job, and the id of a child is the child, too."""
    why = "the job that started it has ended" if at.endswith(".") else "nothing waits for it any more"
    error = Failure("cancelled", why)
    for name in sorted(draft.jobs):
        if draft.jobs[name].ended or not (name == at or name.startswith(f"{at.rstrip('.')}.")):
            continue
        job = replace(draft.jobs[name], status=JobStatus.CANCELLED, finished_at_ms=now_ms, error=error)
        draft.put_job(job)
        held_until_ms = drop_items_of(draft, name, now_ms)
        if job.model.has_workspace:
            release = release_item(name, job.run, job.workspace, now_ms, held_until_ms)
            draft.put_items(replace(release, relay_id=message_id))
        draft.settle(name, message_id, now_ms)
        draft.add_parts(name, closing)


def count_late(draft: Draft, claim: Claim) -> Job | None:
    """Count once what the models of a turn have used that ended after its job; return the job, None: nothing.

    It is no usage of a run that has begun since, and no limit of that one.
    """
    job, result = draft.jobs[claim.job_id], claim.result
    if claim.owner not in job.in_flight or result is None or (spent := spent_by(result)) == NOTHING_USED_YET:
        return None
    rest = tuple([owner for owner in job.in_flight if owner != claim.owner])
    job = replace(job, used=job.used + spent, before=job.before + spent, in_flight=rest)
    draft.put_job(job)
    if is_child(job.id):
        draft.add_spend(job.id, Spend(tokens=spent.input_tokens + spent.output_tokens, cost_usd=spent.cost_usd))
    return job


def prolong(draft: Draft, claims: Sequence[Claim], until_ms: int) -> list[str]:
    """Extend these leases to `until_ms`; return the keys of the work items that their owners do not hold."""
    lost = list[str]()
    for claim in claims:
        item = draft.items.get(claim.item_key)
        if item is None or item.owner != claim.owner:
            lost.append(claim.item_key)
        elif item.lease_until_ms < until_ms:
            draft.put_items(replace(item, lease_until_ms=until_ms))
    return lost


def give_back(draft: Draft, claim: Claim, now_ms: int, *, begun: bool) -> bool:
    """Make the work item free for any invocation; return False where the claim does not hold it."""
    item = draft.items.get(claim.item_key)
    if item is None or item.owner != claim.owner:
        return False
    if begun:
        lose(draft, item, now_ms, stream_parts.BROKEN_OFF)
    lost = item.lost + int(begun)
    until_ms = now_ms - CLOCK_ERROR_MS  # past by any clock
    # Else each sweep would find it without progress, and publish one more message.
    since_ms = max(item.since_ms, claim.comes_ms)
    free = replace(item, owner="", lease_until_ms=until_ms, lost=lost, since_ms=since_ms, limited_by=claim.limited_by)
    draft.put_items(free)
    return True
