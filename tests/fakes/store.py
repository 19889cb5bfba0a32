"""The store in memory: the same atomic steps as the Lua scripts, one method each, without I/O or time of its own."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from events.core.effects import Changes
from events.core.legs import Leg, LegKind
from events.core.state import State, Usage
from events.errors import StoreError
from events.ids import root_of
from events.ports import (
    Begun,
    Claim,
    Committed,
    Created,
    History,
    Looked,
    Snapshot,
    Spent,
    StoredParts,
    Undelivered,
    Verdict,
)
from tests.fakes.tree import Tree

_V = TypeVar("_V")


class FakeStore:
    """`Store` over a dict of hash tags."""

    def __init__(self, retention_ms: int = 1_000_000) -> None:
        self.trees: dict[str, Tree] = {}
        self._retention_ms = retention_ms

    def tree(self, job_id: str) -> Tree:
        """The tag of a job."""
        return self.trees.get(root_of(job_id), Tree())

    def write(self, job_id: str, tree: Tree) -> None:
        """Keep a tag's new version."""
        self.trees[root_of(job_id)] = tree

    async def create(self, changes: Changes, message_id: str, now_ms: int) -> Created:
        """Write a new job carried by its witness, unless it is there."""
        job = changes.job
        assert job is not None
        tree = self.tree(job.id)
        if job.id in tree.jobs:
            return Created(False, tree.jobs[job.id], tree.carried(message_id))
        legs = {leg.key: replace(leg, carrier=message_id) for leg in changes.legs}
        tree = replace(
            tree,
            jobs={**tree.jobs, job.id: job},
            usage={**tree.usage, job.id: Usage(1, 1, 0, now_ms)},
            legs={**tree.legs, **legs},
            transcript={**tree.transcript, job.id: changes.transcript},
            parts={**tree.parts, job.id: changes.parts},
        )
        self.write(job.id, tree)
        return Created(True, job, tree.carried(message_id))

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg."""
        tree = self.tree(claim.job_id)
        job, leg = tree.jobs.get(claim.job_id), tree.legs.get(claim.leg_key)
        if job is None:
            return Begun(Verdict.UNKNOWN)
        if leg is None:
            return Begun(Verdict.APPLIED, carried=tree.carried(claim.message_id))
        if leg.not_before_ms > claim.now_ms:
            return Begun(Verdict.EARLY, leg.not_before_ms, carried=tree.carried(claim.message_id))
        if leg.owner != claim.owner:
            if leg.lease_until_ms > claim.now_ms:
                return Begun(Verdict.BUSY, leg.lease_until_ms, carried=tree.carried(claim.message_id))
            leg = replace(
                leg,
                owner=claim.owner,
                carrier=claim.message_id,
                claimed_ms=claim.now_ms,
                lease_until_ms=claim.lease_until_ms,
            )
            tree = replace(tree, legs={**tree.legs, leg.key: leg})
            self.write(claim.job_id, tree)
        record = tree.calls.get(claim.job_id, {}).get(claim.call_id)
        reads = leg.kind is LegKind.LOOP and job.model.reads_history
        return Begun(
            Verdict.GRANTED,
            state=State(job, leg, record),
            history=_history(tree, claim.job_id) if reads else History(),
            carried=tree.carried(claim.message_id, leg.key),
        )

    async def commit(self, claim: Claim, changes: Changes, spent: Spent) -> Committed:
        """Remove the leg and write what follows from it, unless somebody did."""
        tree, job_id = self.tree(claim.job_id), claim.job_id
        if claim.leg_key not in tree.legs:
            return Committed(False, tree.carried(claim.message_id))
        legs = {key: leg for key, leg in tree.legs.items() if key != claim.leg_key}
        if changes.ends:
            legs = {key: leg for key, leg in legs.items() if leg.job_id != job_id}
        for leg in changes.legs:
            legs.setdefault(leg.key, replace(leg, carrier=claim.message_id))
        if changes.join and all(leg.group != changes.join.group for leg in legs.values()):
            legs.setdefault(changes.join.leg.key, replace(changes.join.leg, carrier=claim.message_id))
        usage = tree.usage.get(job_id, Usage())
        tree = replace(
            tree,
            jobs={**tree.jobs, job_id: changes.job} if changes.job else tree.jobs,
            usage={
                **tree.usage,
                job_id: Usage(
                    usage.messages + spent.messages,
                    usage.redis_requests + spent.requests + 1,
                    usage.redis_commands + spent.commands,
                    claim.now_ms,
                ),
            },
            legs=legs,
            calls=_merged(tree.calls, job_id, {record.id: record for record in changes.calls}),
            results=_merged(tree.results, job_id, changes.results),
            transcript=_longer(tree.transcript, job_id, changes.transcript),
            parts=_longer(tree.parts, job_id, changes.parts),
            expires_ms=claim.now_ms + self._retention_ms if changes.ends else tree.expires_ms,
        )
        self.write(job_id, tree)
        return Committed(True, tree.carried(claim.message_id))

    async def undelivered(self, claim: Claim, source_message_id: str) -> Undelivered:
        """Count that the queue gave up on the source message; once for each callback message."""
        tree = self.tree(claim.job_id)
        job, leg = tree.jobs.get(claim.job_id), tree.legs.get(claim.leg_key)
        if job is None:
            return Undelivered(None)
        if leg is None:
            return Undelivered(None, tree.carried(source_message_id), job.session_id)
        if leg.counted != claim.message_id:
            leg = replace(leg, undelivered=leg.undelivered + 1, counted=claim.message_id)
            tree = replace(tree, legs={**tree.legs, leg.key: leg})
            self.write(claim.job_id, tree)
        record = tree.calls.get(claim.job_id, {}).get(claim.call_id)
        return Undelivered(State(job, leg, record), tree.carried(source_message_id, leg.key), job.session_id)

    async def look(self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int) -> Looked:
        """Legs without progress get this message as carrier."""
        tree = self.tree(root_id)
        job = tree.jobs.get(root_id)
        if job is None:
            return Looked(known=False, ended=False)
        lost: list[Leg] = []
        for leg in sorted(tree.legs.values(), key=lambda leg: f"leg:{leg.key}"):
            quiet_ms = now_ms - max(leg.since_ms, leg.lease_until_ms, leg.not_before_ms)
            if leg.carrier == message_id or quiet_ms > lost_after_ms:
                lost.append(replace(leg, since_ms=now_ms, carrier=message_id))
        if lost:
            self.write(root_id, replace(tree, legs={**tree.legs, **{leg.key: leg for leg in lost}}))
        return Looked(known=True, ended=job.ended, lost=tuple(lost), session_id=job.session_id)

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str]) -> bool:
        """Append parts in mid-work, only while the claim holds the leg."""
        tree = self.tree(claim.job_id)
        leg = tree.legs.get(claim.leg_key)
        if leg is None or leg.owner != claim.owner:
            return False
        if parts and leg.appended < sequence:
            longer = _longer(tree.parts, claim.job_id, tuple(parts))
            legs = {**tree.legs, leg.key: replace(leg, appended=sequence)}
            self.write(claim.job_id, replace(tree, legs=legs, parts=longer))
        return True


class FakeReader:
    """`Reader` over a FakeStore. `down`: what is raised instead of an answer."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.down: StoreError | None = None

    async def job(self, job_id: str) -> Snapshot | None:
        """Everything about a job."""
        tree = self._store.tree(job_id)
        if job_id not in tree.jobs:
            return None
        calls = sorted(tree.calls.get(job_id, {}).values(), key=lambda call: (call.turn, call.position))
        legs = sorted(tree.legs.values(), key=lambda leg: f"leg:{leg.key}")
        return Snapshot(
            job=tree.jobs[job_id],
            task=json.loads(tree.transcript[job_id][0]),
            legs=tuple(leg for leg in legs if leg.job_id == job_id),
            calls=tuple(calls),
            results=_results(tree, job_id),
            usage=tree.usage.get(job_id, Usage()),
        )

    async def parts(self, job_id: str, after: int) -> StoredParts:
        """The job's parts after the first `after` ones."""
        tree = self._store.tree(job_id)
        return StoredParts(tree.jobs.get(job_id), tree.parts.get(job_id, ())[after:])

    async def ping(self) -> None:
        """Raises StoreError while it is down."""
        if self.down:
            raise self.down

    async def close(self) -> None:
        """Nothing is open."""


class FakeListing:
    """`Listing` in memory."""

    def __init__(self) -> None:
        self.listed: dict[str, int] = {}
        self.sweep_at_ms = 0

    async def enter(self, job_id: str, now_ms: int, sweep_at_ms: int) -> bool:
        """List a job; returns whether a sweep must be armed."""
        self.listed.setdefault(job_id, now_ms)
        if self.sweep_at_ms + 60_000 >= now_ms:
            return False
        self.sweep_at_ms = sweep_at_ms
        return True

    async def jobs(self) -> dict[str, int]:
        """Listed job id → when it was listed."""
        return dict(self.listed)

    async def leave(self, job_ids: Sequence[str]) -> None:
        """Take ended jobs off the list."""
        for job_id in job_ids:
            self.listed.pop(job_id, None)

    async def rearm(self, due_ms: int, next_ms: int) -> bool:
        """Whether the sweep due at `due_ms` is the one armed last."""
        if self.sweep_at_ms > due_ms:
            return False
        self.sweep_at_ms = next_ms
        return True


def _history(tree: Tree, job_id: str) -> History:
    transcript = tuple(json.loads(entry) for entry in tree.transcript.get(job_id, ()))
    return History(transcript, _results(tree, job_id))


def _results(tree: Tree, job_id: str) -> dict[str, dict[str, Any]]:
    return {call_id: json.loads(text) for call_id, text in tree.results.get(job_id, {}).items()}


def _merged(all_jobs: dict[str, dict[str, _V]], job_id: str, new: dict[str, _V]) -> dict[str, dict[str, _V]]:
    return {**all_jobs, job_id: {**all_jobs.get(job_id, {}), **new}} if new else all_jobs


def _longer(all_jobs: dict[str, tuple[str, ...]], job_id: str, new: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {**all_jobs, job_id: (*all_jobs.get(job_id, ()), *new)} if new else all_jobs
