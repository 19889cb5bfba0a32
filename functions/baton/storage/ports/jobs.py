"""The state of jobs: the steps that change it, ended jobs, and jobs as people and programs read them.

Each method is one atomic step on one hash tag, and says what it promises under repetition.
"""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from msgspec import field

from baton.engine.all_jobs.scores import Score
from baton.engine.all_jobs.slots import SlotState, SlotTable
from baton.engine.commit.answers import (
    Claim,
    ClaimResult,
    Committed,
    Created,
    Loaded,
    PendingItems,
    Recalled,
    Reconciled,
    Recorded,
    Removed,
    Signal,
    SignalAnswer,
    Tombstone,
    Undelivered,
)
from baton.engine.commit.usage_ledger import NOTHING, Spent
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.work_items import WorkItem
from baton.sdk.record import Record


class Holding(Protocol):
    """Claims that last, as atomic scripts: only the holder of a work item prolongs its claim, or gives it back."""

    def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Coroutine[Any, Any, Sequence[str]]:
        """Prolong claims of one tree that their owners still hold; returns the keys of the items that they do not."""
        ...

    def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> Coroutine[Any, Any, bool]:
        """End a claim that its owner still holds: somebody else may work on the item at once, and no death is counted.

        Returns whether its owner held it. `claim_result`: of a turn, its model may have been called, which counts with
        what attempts that died may have used.
        """
        ...


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
        that is repeated returns what it claimed before. None: nothing.
        """
        ...

    def undelivered(
        self, claim: Claim, source_message_id: str, *, throttled: bool = False
    ) -> Coroutine[Any, Any, Undelivered]:
        """Count, once for each callback message, that the queue gave up on the source message.

        `throttled`: its endpoint had no place. Then it counts as redriven, and not against the budget.
        """
        ...

    def reconcile(
        self, root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Coroutine[Any, Any, Reconciled]:
        """Work items that nobody has worked on or redriven for `stalled_after_ms` get this message as relay message.

        What jobs request is compared with what the admission knows (`slot_table`), and requested again where they
        differ. `only`: of which job; empty: of all jobs of the tree, and the slot table must have the entries of all of
        them.
        """
        ...

    def load(self, job_id: str) -> Coroutine[Any, Any, Loaded | None]:
        """A job, for deciding on a command; None when unknown."""
        ...

    def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> Coroutine[Any, Any, tuple[Recorded, PendingItems]]:
        """Write what follows from a command, carried by its backup message, if the job is still as it was loaded."""
        ...

    def signal(
        self, job_id: str, message_id: str, signal: Signal, now_ms: int, spent: Spent = NOTHING
    ) -> Coroutine[Any, Any, SignalAnswer]:
        """A signal ends a wait, or is kept until there is one. The first outcome of a call stays."""
        ...

    def reconcile_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, stalled_after_ms: int
    ) -> Coroutine[Any, Any, dict[str, Reconciled]]:
        """Look at many trees in one request, each with the entries of all of its jobs; by root job id."""
        ...

    def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> Coroutine[Any, Any, bool]:
        """Append parts in mid-work, only while the claim holds the work item; returns whether it does.

        `sequence` counts the appends under this claim from 1: one that was applied already is not applied again.
        `text_id`: the text of a turn that is open after these parts; one that has lost what came before is refused.
        """
        ...


class Archive(Protocol):
    """Ended jobs, and scores. Each method is one atomic script on one hash tag, harmless when repeated."""

    async def recall(self, job_id: str) -> Recalled | None:
        """A job with what a retry or a removal is decided on; None when unknown. Never an old read."""
        ...

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:
        """Remove a root with all below it, and leave a tombstone, if it has ended and is as it was recalled.

        Its slot requests must have reached the admission by then: nobody sends them afterwards.
        """
        ...

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is kept of a job, or of the one above it, whose data is gone; None: nothing, or its data is there."""
        ...

    async def keep_score(self, job_id: str, score: Score) -> bool:
        """Keep a score with its job, whether it has ended or not, in place of one of that name.

        Returns whether the job is there. The score goes with the job's data.
        """
        ...


class FailingDelivery(Record, frozen=True):
    """A message of a job that does not arrive. `text`: what became of it so far."""

    message_id: str
    text: str


class Snapshot(Record, frozen=True):
    """Everything about one job, for showing it.

    `memory`: the transcript's entry of what was retrieved for it. `stopped`: nobody is admitted at present. `messages`:
    what its user sent while it ran, by id: the entry of its transcript; empty: it is there. `failing`: known where
    somebody has asked the queue. `scores`: by name. `below`: how many jobs are below it.
    """

    job: Job
    task: dict[str, Any]
    items: tuple[WorkItem, ...] = ()
    slot_state: SlotState = field(default_factory=SlotState)
    calls: tuple[CallRecord, ...] = ()
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    usage: Usage = field(default_factory=Usage)
    memory: dict[str, Any] | None = None
    stopped: bool = False
    messages: dict[str, str] = field(default_factory=dict[str, str])
    failing: FailingDelivery | None = None
    scores: tuple[Score, ...] = ()
    below: int = 0


class StoredParts(Record, frozen=True):
    """Parts of a job's stream from a number on, and whether the job has ended. `job` is None for an unknown job.

    `first`: the number of the first of them; where it is more than was asked for, the ones before are gone.
    """

    job: Job | None
    parts: tuple[str, ...] = ()
    first: int = 1


class Reader(Protocol):
    """Reads jobs for people and programs; never part of a transition."""

    async def job(self, job_id: str) -> Snapshot | None:
        """Everything about a job; None when unknown."""
        ...

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Many jobs in one request, by id; those unknown are left out.

        Without their tool calls, results, and what was retrieved for them: a list would be too heavy.
        """
        ...

    async def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Which of these jobs have data, in one request of one command each."""
        ...

    async def calls(self, job_ids: Sequence[str]) -> dict[str, tuple[CallRecord, ...]]:
        """The tool calls of many jobs, by job id, without their results; in two requests."""
        ...

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """All entries of the job's transcript, in order; none when unknown."""
        ...

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
        """The job's parts after number `after`; of a negative one the last so many, whose numbers are not told.

        `known`: the job as it was read before, which saves a request.
        """
        ...

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """One tool call of a job, and its stored result; None and nothing where there is none."""
        ...

    async def parts_after(self, job: Job, after: int) -> tuple[str, ...]:
        """Those parts alone, with one command: for a job that is known, and of which nothing is expected yet."""
        ...

    async def ping(self) -> None:
        """Raises StoreError unless the store answers."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class StoreCheck(Protocol):
    """Looks at a store without touching any job. Each method raises StoreError."""

    async def ping(self) -> None:
        """Ask for an answer."""
        ...

    async def try_script(self, key: str) -> None:
        """Write, read and delete this key in a script."""
        ...

    async def about(self) -> Mapping[str, str]:
        """What the store says of itself, by the names of INFO; empty where it says nothing."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
