"""The state of jobs, as atomic scripts."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from baton.core.admission import Book
from baton.core.effects import Changes
from baton.core.going_on import GoOn
from baton.ports.claims import Begun, Claim, Committed
from baton.ports.facts import Carried, Created, Loaded, Looked, Outside, OutsideFact, Recorded, Undelivered
from baton.ports.holding import Holding
from baton.ports.spending import NOTHING, Spent


class Store(Holding, Protocol):
    """The state of jobs. Each method is one atomic script on one hash tag, harmless when repeated."""

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job carried by its witness, unless it is there; its books begin with what was spent.

        Raises:
            JobGoneError: it was there, and its data is gone.
        """
        ...

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg; the claimed leg's carrier is the message from now on."""
        ...

    async def commit(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None = None) -> Committed:
        """Remove the leg and write what follows from it. The first COMMIT of a leg wins, whoever sends it.

        `go_on`: where this one wins, what the invocation has room for is claimed for it in the same script; one that is
        repeated is told what it claimed before. None: nothing.
        """
        ...

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        """Count, once for each callback message, that the queue gave up on the source message.

        `throttled`: its endpoint had no place. Then it counts as driven anew, and not against the budget.
        """
        ...

    async def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book, only: str = ""
    ) -> Looked:
        """Legs that nobody has worked on or driven for `lost_after_ms` get this message as carrier.

        What jobs wish is compared with what the admission knows (`book`), and wished again where they differ.
        `only`: of which job; empty: of all jobs of the tree, and the book must have the entries of all of them.
        """
        ...

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact from outside; None when unknown."""
        ...

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, Carried]:
        """Write what follows from a fact, carried by its witness, if the job is still as it was loaded."""
        ...

    async def tell(
        self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent = NOTHING
    ) -> Outside:
        """A fact from outside ends a wait, or is kept until there is one. The first outcome of a call stays."""
        ...

    async def look_all(
        self, trees: Mapping[str, Book], message_id: str, now_ms: int, lost_after_ms: int
    ) -> dict[str, Looked]:
        """Look at many trees in one request, each with the entries of all of its jobs; by root job id."""
        ...

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work, only while the claim holds the leg; returns whether it does.

        `sequence` counts the appends under this claim from 1: one that was applied already is not applied again.
        `text_id`: the text of a turn that is open after these parts; one that has lost what came before is refused.
        """
        ...
