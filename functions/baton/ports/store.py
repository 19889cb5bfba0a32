"""The state of jobs, as atomic scripts."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from baton.core.admission import SlotTable
from baton.core.effects import Changes
from baton.core.inline_continuation import Continuation
from baton.ports.claims import Claim, ClaimResult, Committed
from baton.ports.facts import Created, Loaded, Looked, Outside, OutsideFact, PendingItems, Recorded, Undelivered
from baton.ports.holding import Holding
from baton.ports.spending import NOTHING, Spent


class Store(Holding, Protocol):
    """The state of jobs. Each method is one atomic script on one hash tag, harmless when repeated."""

    def create(
        self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING
    ) -> Coroutine[Any, Any, Created]:
        """Write a new job carried by its backup, unless it is there; its usage ledger begins with what was spent.

        Raises:
            JobGoneError: it was there, and its data is gone.
        """
        ...

    def claim(self, claim: Claim) -> Coroutine[Any, Any, ClaimResult]:
        """Load and claim a work item; the claimed work item's relay message is the message from now on."""
        ...

    def commit(
        self, claim: Claim, changes: Changes, spent: Spent, continuation: Continuation | None = None
    ) -> Coroutine[Any, Any, Committed]:
        """Remove the work item and write what follows from it. The first COMMIT of a work item wins, whoever sends it.

        `continuation`: where this one wins, what the invocation has room for is claimed for it in the same script; one
        that is repeated is told what it claimed before. None: nothing.
        """
        ...

    def undelivered(
        self, claim: Claim, source_message_id: str, *, throttled: bool = False
    ) -> Coroutine[Any, Any, Undelivered]:
        """Count, once for each callback message, that the queue gave up on the source message.

        `throttled`: its endpoint had no place. Then it counts as redriven, and not against the budget.
        """
        ...

    def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Coroutine[Any, Any, Looked]:
        """Work items that nobody has worked on or redriven for `lost_after_ms` get this message as relay message.

        What jobs request is compared with what the admission knows (`slot_table`), and requested again where they
        differ. `only`: of which job; empty: of all jobs of the tree, and the slot table must have the entries of all of
        them.
        """
        ...

    def load(self, job_id: str) -> Coroutine[Any, Any, Loaded | None]:
        """A job, for deciding on a fact from outside; None when unknown."""
        ...

    def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> Coroutine[Any, Any, tuple[Recorded, PendingItems]]:
        """Write what follows from a fact, carried by its backup message, if the job is still as it was loaded."""
        ...

    def tell(
        self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent = NOTHING
    ) -> Coroutine[Any, Any, Outside]:
        """A fact from outside ends a wait, or is kept until there is one. The first outcome of a call stays."""
        ...

    def look_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, lost_after_ms: int
    ) -> Coroutine[Any, Any, dict[str, Looked]]:
        """Look at many trees in one request, each with the entries of all of its jobs; by root job id."""
        ...

    def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> Coroutine[Any, Any, bool]:
        """Append parts in mid-work, only while the claim holds the work item; returns whether it does.

        `sequence` counts the appends under this claim from 1: one that was applied already is not applied again.
        `text_id`: the text of a turn that is open after these parts; one that has lost what came before is refused.
        """
        ...
