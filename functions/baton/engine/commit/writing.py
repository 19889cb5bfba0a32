"""The writes of a COMMIT, or of a command, into a tree, one after the other.

Invariant: it makes a new tree of the old one; usage and expiry are the store's.
"""

from msgspec.structs import replace

from baton.engine.commit.claiming import without_children, without_items
from baton.engine.commit.tree import Tree, longer, merged
from baton.engine.effects import Changes
from baton.engine.state import Job, Usage
from baton.engine.work_items import ItemKind


def changed(tree: Tree, job_id: str, message_id: str, changes: Changes, now_ms: int) -> Tree:
    """Return the tree with these changes of one of its jobs."""
    tree = _with_items(tree, job_id, message_id, changes)
    waits = next((item.key for item in changes.items if item.kind is ItemKind.WAIT), "")
    if waits:
        tree = tree.answered_early(tree.items[waits], message_id, now_ms)
    tree = replace(
        tree,
        jobs={**tree.jobs, job_id: changes.job} if changes.job else tree.jobs,
        calls=merged(tree.calls, job_id, {record.id: record for record in changes.calls}),
        results=merged(tree.results, job_id, changes.results),
        transcript=longer(tree.transcript, job_id, changes.transcript),
        parts=longer(tree.parts, job_id, changes.parts),
    )
    if changes.admitted:
        tree = tree.admitted(job_id, message_id, now_ms)
    tree = tree.unblocked(message_id, now_ms).settled(job_id, message_id, now_ms, changes.later_epoch)
    if changes.report:
        tree = tree.reported(changes.report.call_id, changes.report.outcome, message_id, now_ms)
    if changes.needed_until_ms:
        needed = {record.id: changes.needed_until_ms for record in changes.calls}
        tree = replace(tree, needed_until={**tree.needed_until, **needed})
    if changes.spends:
        tree = tree.with_spend(job_id, changes.spends)
    if changes.child and changes.child.job:
        tree = created(tree, changes.child.job, changes.child, message_id)
        tree = replace(tree, usage={**tree.usage, changes.child.job.id: Usage(updated_ms=now_ms)})
    return without_children(tree, job_id, changes.closing, message_id, now_ms) if changes.ends else tree


def _with_items(tree: Tree, job_id: str, message_id: str, changes: Changes) -> Tree:
    tree = tree.begun_again(job_id, changes.forgets) if changes.begins_again else tree
    tree = without_items(tree, job_id) if changes.ends else tree
    items = dict(tree.items)
    tree = tree.skipping([skip for skip in changes.skips if skip.item_key in items])
    for skip in changes.skips:
        items.pop(skip.item_key, None)
    for item in changes.items:
        items.setdefault(
            item.key, replace(item, relay_id="" if item.after and item.kind is ItemKind.CALL else message_id)
        )
    if changes.join and all(item.group != changes.join.group for item in items.values()):
        items.setdefault(changes.join.item.key, replace(changes.join.item, relay_id=message_id))
    return replace(tree, items=items)


def created(tree: Tree, job: Job, changes: Changes, message_id: str) -> Tree:
    """Return the tree with a new job."""
    items = {item.key: replace(item, relay_id=message_id) for item in changes.items}
    return replace(
        tree,
        jobs={**tree.jobs, job.id: job},
        slot_states={**tree.slot_states, job.id: changes.slot_state} if changes.slot_state else tree.slot_states,
        items={**tree.items, **items},
        calls=merged(tree.calls, job.id, {record.id: record for record in changes.calls}),
        transcript=longer(tree.transcript, job.id, changes.transcript),
        parts=longer(tree.parts, job.id, changes.parts),
    )
