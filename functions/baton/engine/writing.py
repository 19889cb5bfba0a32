"""What a COMMIT, or a fact, writes into a tree in memory, step by step as the script does.

Invariant: it makes a new tree of the old one; usage and expiry are the store's.
"""

from typing import TypeVar

from msgspec.structs import replace

from baton.core.effects import Changes
from baton.core.legs import LegKind
from baton.core.state import Job, Usage
from baton.engine.claiming import without_children, without_legs
from baton.engine.tree import Tree

_V = TypeVar("_V")


def changed(tree: Tree, job_id: str, message_id: str, changes: Changes, now_ms: int) -> Tree:
    """The tree with these changes of one of its jobs."""
    tree = _with_legs(tree, job_id, message_id, changes)
    waits = next((leg.key for leg in changes.legs if leg.kind is LegKind.WAIT), "")
    if waits:
        tree = tree.answered_early(tree.legs[waits], message_id, now_ms)
    tree = replace(
        tree,
        jobs={**tree.jobs, job_id: changes.job} if changes.job else tree.jobs,
        calls=_merged(tree.calls, job_id, {record.id: record for record in changes.calls}),
        results=_merged(tree.results, job_id, changes.results),
        transcript=longer(tree.transcript, job_id, changes.transcript),
        parts=longer(tree.parts, job_id, changes.parts),
    )
    if changes.admitted:
        tree = tree.admitted(job_id, message_id, now_ms)
    tree = tree.unblocked(message_id, now_ms).settled(job_id, message_id, now_ms, changes.later_lap)
    if changes.report:
        tree = tree.reported(changes.report.call_id, changes.report.outcome, message_id, now_ms)
    if changes.spends:
        tree = tree.with_spend(job_id, changes.spends)
    if changes.child and changes.child.job:
        tree = created(tree, changes.child.job, changes.child, message_id)
        tree = replace(tree, usage={**tree.usage, changes.child.job.id: Usage(updated_ms=now_ms)})
    return without_children(tree, job_id, changes.closing, message_id, now_ms) if changes.ends else tree


def _with_legs(tree: Tree, job_id: str, message_id: str, changes: Changes) -> Tree:
    tree = tree.begun_again(job_id, changes.forgets) if changes.begins_again else tree
    tree = without_legs(tree, job_id) if changes.ends else tree
    legs = dict(tree.legs)
    tree = tree.skipping([skip for skip in changes.skips if skip.leg_key in legs])
    for skip in changes.skips:
        legs.pop(skip.leg_key, None)
    for leg in changes.legs:
        legs.setdefault(leg.key, replace(leg, carrier="" if leg.after and leg.kind is LegKind.CALL else message_id))
    if changes.join and all(leg.group != changes.join.group for leg in legs.values()):
        legs.setdefault(changes.join.leg.key, replace(changes.join.leg, carrier=message_id))
    return replace(tree, legs=legs)


def created(tree: Tree, job: Job, changes: Changes, message_id: str) -> Tree:
    """The tree with a new job."""
    legs = {leg.key: replace(leg, carrier=message_id) for leg in changes.legs}
    return replace(
        tree,
        jobs={**tree.jobs, job.id: job},
        standings={**tree.standings, job.id: changes.standing} if changes.standing else tree.standings,
        legs={**tree.legs, **legs},
        transcript=longer(tree.transcript, job.id, changes.transcript),
        parts=longer(tree.parts, job.id, changes.parts),
    )


def _merged(all_jobs: dict[str, dict[str, _V]], job_id: str, new: dict[str, _V]) -> dict[str, dict[str, _V]]:
    return {**all_jobs, job_id: {**all_jobs.get(job_id, {}), **new}} if new else all_jobs


def longer(all_jobs: dict[str, tuple[str, ...]], job_id: str, new: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The lists of all jobs, with these entries at the end of this one's."""
    return {**all_jobs, job_id: (*all_jobs.get(job_id, ()), *new)} if new else all_jobs
