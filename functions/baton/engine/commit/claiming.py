"""Claims: granting an item, appending under its claim, and releasing it.

Invariant: a text that is open belongs to the work item that its owner holds; taking or removing the work item closes
it.
"""

from collections.abc import Sequence
from operator import attrgetter

from msgspec.structs import replace

from baton.engine import attempts, stream_parts
from baton.engine.commit.answers import Claim, ClaimResult, Committed, Verdict
from baton.engine.commit.tree import Tree, longer
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation, is_released, may_continue, of_one_invocation
from baton.engine.state import NOTHING_USED, State
from baton.engine.transitions import JobStatus
from baton.engine.waits import APPROVALS
from baton.engine.work_items import ItemKind, WorkItem, given_back_at_ms
from baton.sdk.records.transcript import Failure

_APPEND_COMMANDS = 4


def claimed(claim: Claim, tree: Tree, item: WorkItem) -> tuple[Tree, WorkItem]:
    """Return the tree with the work item claimed, and the item."""
    if item.owner == claim.owner:
        return tree, item
    tree = let_go(tree, item)
    if item.kind is ItemKind.LOOP and not item.offloaded and not claim.answer:  # else its model was asked before
        tree = _with_messages(tree, item.job_id)
    if item.kind is ItemKind.CALL and item.step and item.attempt == 1 and not item.claimed_ms:
        tree = _longer(tree, item.job_id, (stream_parts.step_started(item.step, item.call_id, item.tool),))
    # A slot request has no lease: where another invocation takes it over, the first one's message may be over already.
    over = bool(item.owner) and not of_one_invocation(item.owner, claim.owner)
    taken = over and item.kind is ItemKind.SLOT_REQUEST
    held = replace(
        item,
        owner=claim.owner,
        relay_id=claim.message_id,
        claimed_ms=claim.now_ms,
        appended=0,
        text_id="",
        limited_by="",
        redelivered=taken or (item.redelivered and item.relay_id == claim.message_id),
        lost=item.lost + (1 if item.owner and item.kind is ItemKind.LOOP else 0),
        abandoned=item.abandoned + (1 if over and not taken else 0),
        lease_until_ms=claim.now_ms if item.kind is ItemKind.SLOT_REQUEST else claim.lease_until_ms,
    )
    return replace(tree, items={**tree.items, item.key: held}), held


def granted(claim: Claim, tree: Tree, item: WorkItem) -> tuple[Tree, ClaimResult]:
    """Return the tree with the work item claimed, and the claim's result without the history."""
    tree, item = claimed(claim, tree, item)
    outcome, job = "", tree.jobs[item.job_id]
    if item.kind is ItemKind.WAIT:
        known = tree.results.get(job.id, {}).get(item.call_id)
        outcome = item.timeout_result if known is None else known
        tree = tree.with_result(job.id, item.call_id, outcome) if known is None else tree
    calls = tree.calls.get(job.id, {})
    record = calls.get(item.call_id)
    fails = record is not None and item.kind in (ItemKind.FAILED, ItemKind.WAIT)
    dependants = tuple(calls[name] for name in record.dependants if name in calls) if record and fails else ()
    usage = tree.usage.get(job.id, NOTHING_USED) if item.kind is ItemKind.SLOT_REQUEST else NOTHING_USED
    state = State(job, item, record, outcome, dependants, tree.budget_scopes(item, claim.now_ms), usage)
    return tree, ClaimResult(Verdict.GRANTED, state=state)


def _with_messages(tree: Tree, job_id: str) -> Tree:
    """Return the tree with the user's messages to the job in its transcript, and shown."""
    for at, entry in sorted(tree.messages.get(job_id, {}).items()):
        if entry:
            tree = _longer(tree, job_id, (stream_parts.user_message(entry),)).with_message(job_id, at, "")
            tree = replace(tree, transcript=longer(tree.transcript, job_id, (entry,)))
    return tree


def steered(tree: Tree, job_id: str, changes: Changes) -> Changes:
    """Return the changes; where they end a job to which a message came meanwhile, it goes on with another turn."""
    going_on = changes.going_on
    if going_on is None or not any(tree.messages.get(job_id, {}).values()):
        return changes
    job, items, parts = going_on.job, going_on.items, going_on.parts
    return replace(changes, job=job, items=items, parts=parts, ends=False, closing=(), report=None)


def dispatched(
    tree: Tree, message_id: str, now_ms: int, but: str = "", owner: str = "", *, free: bool = False
) -> tuple[Tree, tuple[WorkItem, ...]]:
    """Mark the work items that a message must dispatch, but for those that `owner`'s invocation has claimed.

    `free`: also those without a claim.
    """
    dispatching = list[WorkItem]()
    for item in tree.pending(message_id, now_ms, but):
        tree, marked = released(tree, item, owner, free=free)
        dispatching.append(marked)
    for item in tree.begun_with_slot(message_id, now_ms, but):
        tree, _ = released(tree, item, owner)
    return tree, tuple(dispatching)


def released(tree: Tree, item: WorkItem, owner: str = "", *, free: bool = False) -> tuple[Tree, WorkItem]:
    """Mark a claimed work item as dispatched by another invocation than its owner's; `free`: also an unclaimed one."""
    if not (item.owner or free) or item.redelivered or (owner and of_one_invocation(item.owner, owner)):
        return tree, item
    item = replace(item, redelivered=True)
    return replace(tree, items={**tree.items, item.key: item}), item


def inline_continuation(
    claim: Claim, tree: Tree, continuation: Continuation | None, done: WorkItem | None
) -> tuple[Tree, Committed]:
    """Claim the work items that the invocation has capacity for, without those in progress in it.

    `done`: the work item that the COMMIT removed, None where it was not applied.
    """
    rest, taken = list[WorkItem](), list[ClaimResult]()
    lost = done is not None and continuation is not None and is_released(done, claim.owner)
    at_most = continuation.at_most if continuation and done and not lost else 0
    for item in tree.pending(claim.message_id, claim.now_ms):
        capacity = continuation is not None and len(taken) < at_most and _continues(claim, tree, item, continuation)
        if continuation is not None and (capacity or item.owner == continuation.owner):
            until_ms = claim.now_ms + continuation.leases_ms.get(item.kind, 0)
            mine = replace(
                claim, job_id=item.job_id, item_key=item.key, owner=continuation.owner, lease_until_ms=until_ms
            )
            tree, claim_result = granted(mine, tree, item)
            taken.append(claim_result)
        elif (
            continuation is None
            or item.lease_until_ms <= claim.now_ms
            or not of_one_invocation(item.owner, claim.owner)
        ):
            tree, dispatching = released(tree, item, claim.owner, free=lost)
            rest.append(dispatching)
    return tree, Committed(done is not None, tuple(rest), tuple(taken))


def _continues(claim: Claim, tree: Tree, item: WorkItem, continuation: Continuation) -> bool:
    free = item.key not in continuation.but and item.free_at_ms() <= claim.now_ms
    near = item.job_id == claim.job_id or item.kind is ItemKind.SLOT_REQUEST
    return free and near and may_continue(tree.jobs[item.job_id], item, continuation.leases_ms)


def appended(claim: Claim, tree: Tree, sequence: int, more: Sequence[str], text_id: str) -> Tree | None:
    """Append these parts once; None: the claim does not hold the item, or earlier parts are missing."""
    item = tree.items.get(claim.item_key)
    if item is None or item.owner != claim.owner or (text_id and item.appended < sequence - 1):
        return None
    if not more or item.appended >= sequence:
        return tree
    item = replace(item, appended=sequence, text_id=text_id or item.text_id)
    return _longer(replace(tree, items={**tree.items, item.key: item}), claim.job_id, tuple(more))


def let_go(tree: Tree, item: WorkItem, rest: tuple[str, ...] | None = None) -> Tree:
    """Count the parts appended under the item's claim, and close its open text: by `rest`, or as abandoned."""
    job_id = item.job_id
    if rest is None:
        rest = stream_parts.abandoned(item.text_id) if item.text_id else ()
    tree = _longer(tree, job_id, rest)
    if not item.appended:
        return tree
    used = tree.usage.get(job_id, NOTHING_USED)
    used = replace(
        used,
        appends=used.appends + item.appended,
        redis_requests=used.redis_requests + item.appended,
        redis_commands=used.redis_commands + _APPEND_COMMANDS * item.appended,
    )
    return replace(tree, usage={**tree.usage, job_id: used})


def is_anew(item: WorkItem, claim: Claim) -> bool:
    """Return whether a turn was added anew since it was claimed: a failover forgot the results in it.

    So is a call that runs again, for an owner of an earlier run.
    """
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


def done(tree: Tree, claim: Claim, changes: Changes) -> tuple[Tree, Changes]:
    """Remove the finished work item. A text that is stored as its owner left it goes on, another one is written anew.

    The items that follow have the deaths of this one, even where its owner was overtaken and does not know of them.
    """
    item, text_stream = tree.items[claim.item_key], changes.text_stream
    if item.deaths:
        changes = replace(changes, items=tuple([attempts.with_deaths(following, item) for following in changes.items]))
    goes_on = text_stream and (item.owner, item.text_id, item.appended) == (
        claim.owner,
        text_stream.text_id,
        text_stream.appended,
    )
    if text_stream and not goes_on:
        changes = replace(changes, parts=(*text_stream.anew, *changes.parts))
    tree = let_go(tree, item, text_stream.rest if text_stream and goes_on else None)
    items = {key: other for key, other in tree.items.items() if key != item.key}
    return replace(tree, items=items), changes


def without_items(tree: Tree, job_id: str) -> Tree:
    """Return the tree without any work item of the job; its stream says of each call that waits that it is over."""
    calls, parts = tree.calls.get(job_id, {}), list[str]()
    mine = (item for item in tree.items.values() if item.job_id == job_id)
    for item in sorted(mine, key=attrgetter("key")):
        tree = let_go(tree, item)
        if item.kind is ItemKind.WAIT and (item.approval_of_call or item.tool not in APPROVALS):
            parts.append(stream_parts.wait_cancelled(item, calls.get(item.approval_of_call)))
    tree = _longer(tree, job_id, tuple(parts))
    return replace(tree, items={key: item for key, item in tree.items.items() if item.job_id != job_id})


def without_children(tree: Tree, job_id: str, closing: tuple[str, ...], message_id: str, now_ms: int) -> Tree:
    """Return the tree with the jobs below this one ended."""
    error = Failure("cancelled", "the job that started it has ended")
    for name in sorted(tree.jobs):
        if not name.startswith(f"{job_id}.") or tree.jobs[name].ended:
            continue
        job = replace(tree.jobs[name], status=JobStatus.CANCELLED, finished_at_ms=now_ms, error=error)
        tree = without_items(replace(tree, jobs={**tree.jobs, name: job}), name)
        tree = _longer(tree.settled(name, message_id, now_ms), name, closing)
    return tree


def _longer(tree: Tree, job_id: str, more: tuple[str, ...]) -> Tree:
    return replace(tree, parts=longer(tree.parts, job_id, more)) if more else tree


def prolonged(tree: Tree, claims: Sequence[Claim], until_ms: int) -> tuple[Tree, list[str]]:
    """Extend these leases to `until_ms`; also return the keys of the work items that their owners do not hold."""
    items, lost = dict(tree.items), list[str]()
    for claim in claims:
        item = items.get(claim.item_key)
        if item is None or item.owner != claim.owner:
            lost.append(claim.item_key)
        elif item.lease_until_ms < until_ms:
            items[item.key] = replace(item, lease_until_ms=until_ms)
    return (replace(tree, items=items) if items != tree.items else tree), lost


def given_back(tree: Tree, claim: Claim, now_ms: int, *, begun: bool) -> Tree:
    """Return the tree with the work item free for any invocation."""
    item = tree.items.get(claim.item_key)
    if item is None or item.owner != claim.owner:
        return tree
    lost = item.lost + (1 if begun and item.kind is ItemKind.LOOP else 0)
    until_ms = given_back_at_ms(now_ms)
    # Else each sweep would find it without progress, and publish one more message.
    since_ms = max(item.since_ms, claim.comes_ms)
    free = replace(item, owner="", lease_until_ms=until_ms, lost=lost, since_ms=since_ms, limited_by=claim.limited_by)
    return replace(tree, items={**tree.items, item.key: free})
