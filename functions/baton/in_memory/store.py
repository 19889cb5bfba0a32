"""The store in memory: the steps of `baton.engine` on a dict of trees."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from baton.core.admission import SlotTable
from baton.core.counts import checkpoints_in
from baton.core.effects import Changes
from baton.core.inline_continuation import Continuation
from baton.core.records import dump_job
from baton.engine import operations
from baton.engine.claiming import given_back, prolonged
from baton.engine.tree import Tree
from baton.engine.usage_ledger import with_used
from baton.in_memory.telling import told
from baton.ports import (
    Claim,
    ClaimResult,
    Committed,
    Created,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    PendingItems,
    Recorded,
    Spent,
    Undelivered,
    charge,
)
from baton.ports.spending import NOTHING
from baton_events.errors import JobGoneError
from baton_events.ids import root_of

_UNKNOWN = Tree()  # what is kept of a job that nobody knows


class InMemoryStore:
    """`Store` over a dict of hash tags."""

    def __init__(self, retention_ms: int = 1_000_000) -> None:
        self.trees: dict[str, Tree] = {}
        self.tool_uses: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self._retention_ms = retention_ms

    def tree(self, job_id: str) -> Tree:
        """The tag of a job."""
        return self.trees.get(root_of(job_id), _UNKNOWN)

    def write(self, job_id: str, tree: Tree) -> None:
        """Keep a tag's new version."""
        if tree is not self.tree(job_id):
            self.trees[root_of(job_id)] = tree

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job carried by its backup message, unless it is there."""
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
        return told(tree, claim_result)

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        """Remove the work item and write what follows from it, unless somebody did; claim what is gone on with."""
        if changes.used:
            self.tool_uses[changes.used.count] += 1
        self.sums.update(changes.counts)
        before = self.tree(claim.job_id)
        tree, committed = operations.commit(before, claim, changes, spent, continuation, self._retention_ms)
        self.write(claim.job_id, with_used(before, tree, claim.job_id) if committed.applied else tree)
        if not committed.applied:
            charge(requests=1)
        return replace(committed, claimed=tuple([told(tree, claim_result) for claim_result in committed.claimed]))

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact from outside."""
        charge(requests=1)
        job = self.tree(job_id).jobs.get(job_id)
        return Loaded(job, dump_job(job)) if job else None

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, PendingItems]:
        """Write what follows from a fact, if the job is still as it was loaded."""
        before, retention_ms = self.tree(loaded.job.id), self._retention_ms
        tree, answer = operations.record(before, loaded.job, message_id, changes, now_ms, spent, retention_ms)
        self.write(loaded.job.id, with_used(before, tree, loaded.job.id))
        if answer[0] is not Recorded.COMMITTED:
            charge(requests=1)
        return answer

    async def tell(
        self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent = NOTHING
    ) -> Outside:
        """A fact from outside ends a wait, or is kept until there is one."""
        tree, outside = operations.tell(self.tree(job_id), job_id, message_id, fact, now_ms, spent)
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

    async def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Looked:
        """Make this message the relay of items without progress; repeat slot requests that the admission forgot."""
        charge(requests=1)
        tree, looked = operations.look(self.tree(root_id), root_id, message_id, now_ms, lost_after_ms, slot_table, only)
        self.write(root_id, tree)
        return looked

    async def look_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, lost_after_ms: int
    ) -> dict[str, Looked]:
        """Look at many trees."""
        return {root: await self.look(root, message_id, now_ms, lost_after_ms, trees[root]) for root in trees}

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work, only while the claim holds the work item."""
        self.sums.update(checkpoints_in(parts))
        before = self.tree(claim.job_id)
        tree, holds = operations.append(before, claim, sequence, parts, text_id)
        if tree is before:
            charge(requests=1)  # else the work item counts the request
        self.write(claim.job_id, tree)
        return holds
