"""The store of a simulation: the product's store in memory, with the points around each claim and commit.

Invariant: committed data stays, except for the fault of a store that forgets: then the last writes of one tree are lost
once, as after a failover. Must not: know a process.
"""

from typing import Protocol

from baton.engine.commit.answers import Claim, ClaimResult, Committed
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind, kind_of
from baton.storage.in_memory.store import InMemoryStore
from baton.testing.dice import Dice
from baton_events.ids import root_of

_FORGETS, _WHEN, _HOW_MUCH = "forgetful_store", 21, 22
_WORDS = {
    ItemKind.LOOP: "the next turn",
    ItemKind.COMPLETE: "taking in the result of",
    ItemKind.FAILED: "taking in the failure of",
    ItemKind.WAIT: "the end of the wait of",
    ItemKind.SLOT_REQUEST: "the request for a slot",
    ItemKind.REMEMBER: "what is remembered",
    ItemKind.NOTIFY: "that its end is sent out",
}


class Surroundings(Protocol):
    """The store's view of its world."""

    dice: Dice
    faults: frozenset[str]

    async def point(self, what: str) -> None:
        """Mark a point at which the process can die."""
        ...

    def record(self, what: str) -> None:
        """Add to the story."""
        ...


class SimulatedStore(InMemoryStore):
    """`Store` of one world."""

    def __init__(self, world: Surroundings) -> None:
        super().__init__()
        self._world = world
        self._versions: list[tuple[str, Tree]] = []
        self._forgets_at = world.dice.whole(3, 12, _WHEN) if _FORGETS in world.faults else 0

    async def claim(self, claim: Claim) -> ClaimResult:
        """Load and claim a work item."""
        what = self._named(claim)
        await self._world.point(f"before the claim of {what}")
        answer = await super().claim(claim)
        await self._world.point(f"after the claim of {what}")
        return answer

    async def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Committed:
        """Remove the work item and write its successors."""
        what = self._named(claim)
        await self._world.point(f"before the commit of {what}")
        answer = await super().commit(claim, changes, spent, continuation)
        self._forget()
        await self._world.point(f"after the commit of {what}")
        return answer

    def write(self, job_id: str, tree: Tree) -> None:
        """Store a new version of a tree."""
        if self._forgets_at:
            self._versions.append((root_of(job_id), self.tree(job_id)))
        super().write(job_id, tree)

    def _forget(self) -> None:
        """Undo some writes, once."""
        if not self._forgets_at or len(self._versions) < self._forgets_at:
            return
        root, tree = self._versions[-self._world.dice.whole(1, 2, _HOW_MUCH)]
        self._forgets_at = 0
        self.trees[root] = tree
        self._world.record("the store forgets its last writes")

    def _named(self, claim: Claim) -> str:
        kind = kind_of(claim.item_key)
        call = self.tree(claim.job_id).calls.get(claim.job_id, {}).get(claim.call_id)
        word = _WORDS.get(kind, "")
        return f"{word} {call.tool}".strip() if call is not None else word
