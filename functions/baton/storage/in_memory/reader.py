"""Reading jobs from the store in memory, and its archive of ended jobs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from baton.engine.all_jobs.scores import Score
from baton.engine.commit import operations
from baton.engine.commit.answers import Loaded, Recalled, Removed, Tombstone
from baton.engine.commit.codec import dump_job
from baton.engine.commit.tree import Tree
from baton.engine.state import NOTHING_USED, CallRecord, Job
from baton.engine.transcript import recalled
from baton.storage.in_memory.admission import InMemoryAdmission
from baton.storage.in_memory.store import InMemoryStore, results_of
from baton.storage.ports.jobs import Snapshot, StoredParts
from baton_events.errors import StoreError
from baton_events.ids import root_of


class InMemoryArchive:
    """`Archive` over an InMemoryStore."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def recall(self, job_id: str) -> Recalled | None:
        """Return a job with the data to decide on its retry or removal."""
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
            self._store.scores = {name: kept for name, kept in self._store.scores.items() if root_of(name) != job.id}
        return verdict

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """Return the record of a job whose data is gone."""
        tree = self._store.tree(job_id)
        return None if root_of(job_id) in tree.jobs else tree.tombstone

    async def keep_score(self, job_id: str, score: Score) -> bool:
        """Keep a score with its job."""
        if job_id not in self._store.tree(job_id).jobs:
            return False
        self._store.scores.setdefault(job_id, {})[score.name] = score
        return True


class InMemoryReader:
    """`Reader` over an InMemoryStore, and an admission if there is one. `down`: raised instead of an answer."""

    def __init__(self, store: InMemoryStore, admission: InMemoryAdmission | None = None) -> None:
        self._store = store
        self._admission = admission
        self.down: StoreError | None = None

    async def job(self, job_id: str) -> Snapshot | None:
        """Return everything about a job."""
        tree = self._store.tree(job_id)
        if job_id not in tree.jobs:
            return None
        calls = sorted(tree.calls.get(job_id, {}).values(), key=lambda call: (call.turn, call.position))
        return replace(
            self._snapshot(job_id, tree),
            calls=tuple(calls),
            results=results_of(tree, job_id),
            memory=recalled(tree.transcript[job_id]),
        )

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return many jobs."""
        found = ((name, self._store.tree(name)) for name in job_ids)
        return {name: self._snapshot(name, tree) for name, tree in found if name in tree.jobs}

    async def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these jobs that have data."""
        return frozenset(name for name in job_ids if name in self._store.tree(name).jobs)

    async def calls(self, job_ids: Sequence[str]) -> dict[str, tuple[CallRecord, ...]]:
        """Return the tool calls of many jobs."""
        found = {name: tuple(self._store.tree(name).calls.get(name, {}).values()) for name in job_ids}
        return {name: calls for name, calls in found.items() if calls}

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Return all entries of the job's transcript, in order."""
        return tuple(json.loads(entry) for entry in self._store.tree(job_id).transcript.get(job_id, ()))

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:  # noqa: ARG002
        """Return the job's parts after number `after`."""
        await self.ping()
        tree = self._store.tree(job_id)
        return StoredParts(tree.jobs.get(job_id), tree.parts.get(job_id, ())[after:], max(0, after) + 1)

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """Return one tool call, and its result."""
        await self.ping()
        tree = self._store.tree(job_id)
        call = tree.calls.get(job_id, {}).get(call_id)
        return tree.jobs.get(job_id), call, results_of(tree, job_id).get(call_id, {})

    async def parts_after(self, job: Job, after: int) -> tuple[str, ...]:
        """Return the job's parts after number `after`."""
        return (await self.parts(job.id, after)).parts

    async def ping(self) -> None:
        """Raise StoreError while it is down."""
        if self.down:
            raise self.down

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    def _snapshot(self, job_id: str, tree: Tree) -> Snapshot:
        items = sorted(tree.items.values(), key=lambda item: f"item:{item.key}")
        return Snapshot(
            job=tree.jobs[job_id],
            task=json.loads(tree.transcript[job_id][0]),
            items=tuple(item for item in items if item.job_id == job_id),
            slot_state=tree.slot_state(job_id),
            usage=tree.usage.get(job_id, NOTHING_USED),
            stopped=bool(self._admission and self._admission.stopped_ms),
            messages={at.partition(":")[2]: text for at, text in tree.messages.get(job_id, {}).items()},
            scores=tuple(score for _, score in sorted(self._store.scores.get(job_id, {}).items())),
            below=sum(name.startswith(f"{job_id}.") for name in tree.jobs),
        )
