"""The state of jobs: the steps that change it, ended jobs, and jobs as people and programs read them.

Each method is one atomic step on one hash tag, and documents its promise under repetition.
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
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.work_items import WorkItem
from baton.sdk.records.record import Record


class Holding(Protocol):
    """Claims that last, as atomic scripts: only the holder of a work item prolongs its claim, or gives it back."""

    def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Coroutine[Any, Any, Sequence[str]]:
        """Prolong claims of one tree that their owners still hold; return the keys of the items that they do not."""
        ...

    def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> Coroutine[Any, Any, bool]:
        """End a claim that its owner still holds: the item is free at once, and no death is counted.

        Returns whether its owner held it. `begun`: a turn's model may have been called, which counts with the possible
        usage of attempts that died.
        """
        ...


class Store(Holding, Protocol):
    """The state of jobs. Each method is one atomic script on one hash tag, harmless when repeated.

    What an invocation has spent so far is billed to its job with what `create`, `commit`, `record` or `signal` writes.
    """

    def create(
        self, changes: Changes, message_id: str, now_ms: int, counted_bytes: int = 0
    ) -> Coroutine[Any, Any, Created]:
        """Write a new job with its backup message as relay, unless it is there.

        `counted_bytes`: of what it stores, the bytes that its tenant's quota has counted already.

        Raises:
            JobGoneError: it was there, and its data is gone.
        """
        ...

    def claim(self, claim: Claim) -> Coroutine[Any, Any, ClaimResult]:
        """Load and claim a work item; the message becomes its relay."""
        ...

    def commit(
        self, claim: Claim, changes: Changes, continuation: Continuation | None = None
    ) -> Coroutine[Any, Any, Committed]:
        """Remove the work item and write what follows from it. The first COMMIT of a work item wins, whatever sends it.

        `continuation`: where this one wins, the same script claims items for the invocation, up to its capacity; a
        repeated one returns its earlier claims. None: claims nothing.
        """
        ...

    def undelivered(
        self, claim: Claim, source_message_id: str, *, throttled: bool = False
    ) -> Coroutine[Any, Any, Undelivered]:
        """Count, once for each callback message, that the queue gave up on the source message.

        `throttled`: its endpoint had no capacity. Then it counts as replayed, and not against the budget.
        """
        ...

    def reconcile(
        self, root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Coroutine[Any, Any, Reconciled]:
        """Make this message the relay of work items without a claim or replay for `stalled_after_ms`.

        The jobs' slot states are compared with the admission's `slot_table`, and slot requests repeated where they
        differ. `only`: the one job to check; empty: all jobs of the tree, whose entries the slot table must have.
        """
        ...

    def load(self, job_id: str) -> Coroutine[Any, Any, Loaded | None]:
        """Load a job, to decide on a command; None when unknown."""
        ...

    def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int
    ) -> Coroutine[Any, Any, tuple[Recorded, PendingItems]]:
        """Write what follows from a command, with its backup message as relay, if the job is still as it was loaded."""
        ...

    def signal(
        self, job_id: str, message_id: str, signal: Signal, now_ms: int, counted_bytes: int = 0
    ) -> Coroutine[Any, Any, SignalAnswer]:
        """End a wait by a signal, or keep the signal until there is one. The first outcome of a call stays.

        `counted_bytes`: as of `create`.
        """
        ...

    def reconcile_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, stalled_after_ms: int
    ) -> Coroutine[Any, Any, dict[str, Reconciled]]:
        """Reconcile many trees in one request, each with the entries of all of its jobs; by root job id."""
        ...

    def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> Coroutine[Any, Any, bool]:
        """Append parts in mid-work, only while the claim holds the work item; return whether it does.

        `sequence` counts the appends under this claim from 1: one that was applied already is not applied again.
        `text_id`: the text of a turn that is open after these parts; one whose earlier parts are lost is refused.
        """
        ...


class Archive(Protocol):
    """Ended jobs, and scores. Each method is one atomic script on one hash tag, harmless when repeated."""

    async def recall(self, job_id: str) -> Recalled | None:
        """Return a job with the data to decide on its retry or removal; None when unknown. Never an old read."""
        ...

    async def remove(self, recalled: Recalled) -> Removed:
        """Remove a root with all below it, and leave a tombstone, if it has ended and is as it was recalled.

        Its slot requests must have reached the admission by then: they are not sent afterwards.
        """
        ...

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """Return the record of a job, or of the one above it, whose data is gone; None: none, or the data is there."""
        ...

    async def keep_score(self, job_id: str, score: Score) -> bool:
        """Keep a score with its job, whether it has ended or not, in place of one of that name.

        Returns whether the job is there. The score goes with the job's data.
        """
        ...


class FailingDelivery(Record, frozen=True):
    """A message of a job that does not arrive. `text`: its deliveries so far, for people."""

    message_id: str
    text: str


class Snapshot(Record, frozen=True):
    """Everything about one job, for showing it.

    `memory`: the transcript's entry of retrieved memory. `stopped`: no job is admitted at present. `messages`: messages
    of its user while it ran, by id: the entry of its transcript; empty: it is there. `failing`: known where the queue
    was asked. `scores`: by name. `below`: how many jobs are below it.
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

    `first`: the number of the first of them; where it is more than was requested, the ones before are gone.
    """

    job: Job | None
    parts: tuple[str, ...] = ()
    first: int = 1


class Reader(Protocol):
    """Reads jobs for people and programs; never part of a transition."""

    async def job(self, job_id: str) -> Snapshot | None:
        """Return everything about a job; None when unknown."""
        ...

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return many jobs in one request, by id; unknown ones are left out.

        Without their tool calls, results and retrieved memory: a list would be too heavy.
        """
        ...

    async def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these jobs that have data, in one request of one command each."""
        ...

    async def calls(self, job_ids: Sequence[str]) -> dict[str, tuple[CallRecord, ...]]:
        """Return the tool calls of many jobs, by job id, without their results; in two requests."""
        ...

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Return all entries of the job's transcript, in order; none when unknown."""
        ...

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
        """Return the job's parts after number `after`; of a negative one the last ones, without their numbers.

        `known`: the job as it was read before, which saves a request.
        """
        ...

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """Return one tool call of a job, and its stored result; None and nothing where there is none."""
        ...

    async def parts_after(self, job: Job, after: int) -> tuple[str, ...]:
        """Return those parts alone, with one command: for a known job, of which nothing is expected yet."""
        ...

    async def ping(self) -> None:
        """Raise StoreError unless the store answers, and StoreFullError unless it takes writes."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class StoreCheck(Protocol):
    """Checks a store without touching any job. Each method raises StoreError."""

    async def ping(self) -> None:
        """Check that the store answers."""
        ...

    async def try_script(self, key: str) -> None:
        """Write, read and delete this key in a script."""
        ...

    async def about(self) -> Mapping[str, str]:
        """Return the store's description of itself, by the names of INFO; empty where it has none."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
