"""The store in memory: the steps of `baton.engine.commit` on a dict of trees.

The owner of a work item gets its history, with the size that the real store counts.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine.all_jobs.scores import Score
from baton.engine.all_jobs.slots import SlotTable
from baton.engine.commit import operations
from baton.engine.commit.answers import (
    Claim,
    ClaimResult,
    Committed,
    Created,
    History,
    Loaded,
    PendingItems,
    Reconciled,
    Recorded,
    Signal,
    SignalAnswer,
    Undelivered,
)
from baton.engine.commit.claiming import given_back, prolonged
from baton.engine.commit.codec import dump_job
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import NOTHING, Spent, with_used
from baton.engine.effects import Changes, checkpoints_in
from baton.engine.outbox import Continuation
from baton.engine.state import State, reads_history
from baton.engine.transcript import calls_in, uncompacted
from baton.engine.work_items import ItemKind
from baton.transport.meter import charge
from baton_events.errors import JobGoneError
from baton_events.ids import root_of


def with_history(tree: Tree, claim_result: ClaimResult) -> ClaimResult:
    """Return the claim's result with its history, where a work item was granted.

    A turn gets the job's history, a plan's step the results of those before it, a remembering item the job's task.
    """
    if claim_result.state is None:
        return claim_result
    history = _history_for(tree, claim_result.state)
    return replace(claim_result, history=history) if history else claim_result


def results_of(tree: Tree, job_id: str) -> dict[str, dict[str, Any]]:
    """Return the stored results of a job, by the id of their call."""
    return _values(tree.results.get(job_id, {}))


def _history_for(tree: Tree, state: State) -> History | None:
    job, item = state.job, state.item
    transcript, results = tree.transcript.get(job.id, ()), tree.results.get(job.id, {})
    if reads_history(item, job):
        texts = uncompacted(transcript, job.compacted)
        entries = tuple(_read(texts))
        names = results if job.compacted == (0, 0) else [name for name in calls_in(entries) if name in results]
        return _history(texts, {name: results[name] for name in names}, job.compacted)
    if item.kind is ItemKind.REMEMBER:
        return _history(transcript[:1], {})
    if item.kind is ItemKind.CALL and item.after:
        return _history((), {name: results[name] for name in item.after.split(",") if name in results})
    return None


def _history(texts: tuple[str, ...], results: dict[str, str], compacted: tuple[int, int] = (0, 0)) -> History:
    """Return the whole history: no answer can be too large here."""
    size_bytes = sum(map(len, (*texts, *results.values())))
    return History(tuple(_read(texts)), _values(results), compacted, size_bytes)


def _values(results: dict[str, str]) -> dict[str, dict[str, Any]]:
    return dict(zip(results, _read(results.values()), strict=True))


def _read(texts: Iterable[str]) -> list[Any]:
    """Return the values of these JSON texts, read at once: one call for each takes several times as long."""
    values: list[Any] = json.loads(f"[{','.join(texts)}]")
    return values


_UNKNOWN = Tree()  # of an unknown job


class InMemoryStore:
    """`Store` over a dict of hash tags."""

    def __init__(self, retention_ms: int = 1_000_000) -> None:
        self.trees: dict[str, Tree] = {}
        self.tool_uses: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self.scores: dict[str, dict[str, Score]] = {}
        self._retention_ms = retention_ms

    def tree(self, job_id: str) -> Tree:
        """Return the tree of a job."""
        return self.trees.get(root_of(job_id), _UNKNOWN)

    def write(self, job_id: str, tree: Tree) -> None:
        """Store a tag's new version."""
        if tree is not self.tree(job_id):
            self.trees[root_of(job_id)] = tree

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job with its backup message as relay, unless it is there."""
        job_id = changes.job.id if changes.job else ""
        try:
            tree, created = operations.create(self.tree(job_id), changes, message_id, now_ms, spent)
        except JobGoneError:
            charge(requests=1)
            raise
        self.write(job_id, tree)
        if not created.new:
            charge(requests=1)
        return created

    async def claim(self, claim: Claim) -> ClaimResult:
        """Load and claim a work item."""
        charge(requests=1)
        tree, claim_result = operations.claim(self.tree(claim.job_id), claim)
        self.write(claim.job_id, tree)
        return with_history(tree, claim_result)

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        """Remove the work item and write what follows, unless it is gone; claim items to continue with."""
        if changes.used:
            self.tool_uses[changes.used.count] += 1
        self.sums.update(changes.counts)
        before = self.tree(claim.job_id)
        tree, committed = operations.commit(before, claim, changes, spent, continuation, self._retention_ms)
        self.write(claim.job_id, with_used(before, tree, claim.job_id) if committed.applied else tree)
        if not committed.applied:
            charge(requests=1)
        return replace(
            committed, claimed=tuple([with_history(tree, claim_result) for claim_result in committed.claimed])
        )

    async def load(self, job_id: str) -> Loaded | None:
        """Load a job, to decide on a command."""
        charge(requests=1)
        job = self.tree(job_id).jobs.get(job_id)
        return Loaded(job, dump_job(job)) if job else None

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, PendingItems]:
        """Write what follows from a command, if the job is still as it was loaded."""
        before, retention_ms = self.tree(loaded.job.id), self._retention_ms
        tree, answer = operations.record(before, loaded.job, message_id, changes, now_ms, spent, retention_ms)
        self.write(loaded.job.id, with_used(before, tree, loaded.job.id))
        if answer[0] is not Recorded.COMMITTED:
            charge(requests=1)
        return answer

    async def signal(
        self, job_id: str, message_id: str, signal: Signal, now_ms: int, spent: Spent = NOTHING
    ) -> SignalAnswer:
        """End a wait by a signal, or keep the signal until there is one."""
        tree, outside = operations.signal(self.tree(job_id), job_id, message_id, signal, now_ms, spent)
        self.write(job_id, tree)
        if not outside.signal_result.is_new:
            charge(requests=1)
        return outside

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        """Prolong claims that their owners still hold."""
        charge(requests=1)
        tree, lost = prolonged(self.tree(claims[0].job_id), claims, lease_until_ms)
        self.write(claims[0].job_id, tree)
        return lost

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        """End a claim that its owner still holds."""
        charge(requests=1)
        tree = self.tree(claim.job_id)
        free = given_back(tree, claim, now_ms, begun=begun)
        self.write(claim.job_id, free)
        return free is not tree

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        """Count that the queue gave up on the source message; once for each callback message."""
        charge(requests=1)
        tree = self.tree(claim.job_id)
        tree, counted = operations.undelivered(tree, claim, source_message_id, throttled=throttled)
        self.write(claim.job_id, tree)
        return counted

    async def reconcile(
        self, root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Reconciled:
        """Make this message the relay of items without progress; repeat slot requests that the admission forgot."""
        charge(requests=1)
        tree, reconciled = operations.reconcile(
            self.tree(root_id), root_id, message_id, now_ms, stalled_after_ms, slot_table, only
        )
        self.write(root_id, tree)
        return reconciled

    async def reconcile_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, stalled_after_ms: int
    ) -> dict[str, Reconciled]:
        """Reconcile many trees."""
        return {root: await self.reconcile(root, message_id, now_ms, stalled_after_ms, trees[root]) for root in trees}

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work, only while the claim holds the work item."""
        self.sums.update(checkpoints_in(parts))
        before = self.tree(claim.job_id)
        tree, holds = operations.append(before, claim, sequence, parts, text_id)
        if tree is before:
            charge(requests=1)  # else the work item counts the request
        self.write(claim.job_id, tree)
        return holds
