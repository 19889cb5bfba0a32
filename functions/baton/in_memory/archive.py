"""Ended jobs in the store in memory."""

from baton.core.records import dump_job
from baton.engine import operations
from baton.engine.tree import Tree
from baton.in_memory.store import InMemoryStore
from baton.ports import Loaded, Recalled, Removed, Tombstone
from baton_events.ids import root_of


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
        calls = tree.calls.get(job_id, {}).values()
        return operations.recalled(tree, Loaded(job, dump_job(job)), calls, len(entries), entries)

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:  # noqa: ARG002 - a tombstone here stays
        """Remove a root with all below it, and leave a tombstone."""
        job = recalled.loaded.job
        verdict = operations.removal(self._store.tree(job.id), recalled)
        if verdict is Removed.REMOVED:
            self._store.write(job.id, Tree(tombstone=Tombstone(job.tenant, deleted=True)))
        return verdict

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is kept of a job whose data is gone."""
        tree = self._store.tree(job_id)
        return None if root_of(job_id) in tree.jobs else tree.tombstone
