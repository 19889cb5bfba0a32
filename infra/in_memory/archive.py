"""Ended jobs in the store in memory."""

from events.core.legs import LegKind
from events.core.records import dump_job
from events.core.retrying import EndedJob
from events.core.state import NOTHING_USED
from events.core.transcript import recalled as remembered
from events.engine.tree import Tree
from events.ids import root_of
from events.ports import Loaded, Recalled, Removed, Tombstone, Untold
from infra.in_memory.store import InMemoryStore


class InMemoryArchive:
    """`Archive` over an InMemoryStore."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def recall(self, job_id: str) -> Recalled | None:
        """A job with what a retry or a removal is decided on."""
        tree = self._store.tree(job_id)
        job, entries = tree.jobs.get(job_id), tree.transcript.get(job_id, ())
        if job is None:
            return None
        ended = EndedJob(job, tuple(tree.calls.get(job_id, {}).values()), len(entries), 2 if remembered(entries) else 1)
        wishes = sorted((leg for leg in tree.legs.values() if leg.kind is LegKind.WISH), key=lambda leg: leg.key)
        untold = tuple(Untold(leg, tree.jobs[leg.job_id], tree.usage.get(leg.job_id, NOTHING_USED)) for leg in wishes)
        written = {
            name: (other.finished_at_ms or 0, tree.usage.get(name, NOTHING_USED).written)
            for name, other in tree.jobs.items()
            if other.ended and (name == job_id or name.startswith(f"{job_id}."))
        }
        return Recalled(Loaded(job, dump_job(job)), ended, untold, written)

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:  # noqa: ARG002 - a tombstone here stays
        """Remove a root with all below it, and leave a tombstone."""
        job, told = recalled.loaded.job, {untold.wish.key for untold in recalled.wishes}
        tree = self._store.tree(job.id)
        if job.id not in tree.jobs:
            return Removed.UNKNOWN
        untold = any(leg.kind is LegKind.WISH and leg.key not in told for leg in tree.legs.values())
        if untold or tree.jobs[job.id] != job or not job.ended:
            return Removed.CHANGED
        self._store.write(job.id, Tree(tombstone=Tombstone(job.tenant, deleted=True)))
        return Removed.REMOVED

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is kept of a job whose data is gone."""
        tree = self._store.tree(job_id)
        return None if root_of(job_id) in tree.jobs else tree.tombstone
