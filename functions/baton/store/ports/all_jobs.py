"""Data of all jobs together: slots and session lines, the list of jobs, and sums for quotas.

The list is written beside a job's own data, so a list that fails is a gap in a page.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct, field

from baton.engine.all_jobs.days import DayUsed, VersionSeen
from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed
from baton.engine.all_jobs.job_list import Found, Query, Row
from baton.engine.all_jobs.samples import Sample
from baton.engine.all_jobs.slots import PAGE, QueuedJob, QueueEntry, SlotState
from baton.engine.commit.stored_bytes import BytesAdded
from baton.sdk.records.record import Record


class SlotGranted(Struct, frozen=True):
    """Another job that got a slot, and must be notified."""

    job_id: str
    epoch: int
    session_id: str


class SlotAnswer(Record, frozen=True):
    """The admission's answer: whether the sender holds a slot, other grants, and when to arm a sweep (0: not).

    `later_epoch`: the request epoch of a later update of this job, which the admission knows and accepts instead; 0:
    there is none. `busy`: the job was to be alone in its session, and is not: it was not entered.
    """

    slot: bool
    granted: tuple[SlotGranted, ...] = ()
    reconcile_at_ms: int = 0
    later_epoch: int = 0
    busy: bool = False


class ReconcileTurn(Struct, frozen=True):
    """A sweep's turn. `next_ms`: when to arm the next one; 0: not, for an old copy, or while no job holds a slot.

    `slot_table`: the entries of a page of jobs, with their trees. `granted`: jobs that hold a slot and have not
    acknowledged it yet, whatever granted it. `after`: where the next page begins; empty: this is the last one.
    """

    next_ms: int = 0
    slot_table: dict[str, QueueEntry] = field(default_factory=dict[str, QueueEntry])
    granted: tuple[SlotGranted, ...] = ()
    after: str = ""


class AdmissionState(Struct, frozen=True):
    """The admission's state. `stopped_ms`: the time since which no job is admitted, 0: it is not stopped.

    `reconciled_ms`: the last sweep, 0: never. `active`: jobs that hold a slot; `pending`: jobs in line for one.
    """

    slots: int
    active: int
    pending: int
    stopped_ms: int = 0
    reconciled_ms: int = 0


class Started(Struct, frozen=True):
    """The answer to a start of the admission: when a sweep must be armed (0: not), and the jobs to notify of slots."""

    reconcile_at_ms: int
    granted: tuple[SlotGranted, ...] = ()


class Admission(Protocol):
    """Slots, session lines, and the list of live jobs, in a hash tag of its own."""

    async def slot_request(
        self,
        job_id: str,
        slot_state: SlotState,
        queued_job: QueuedJob,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
        stored: BytesAdded | None = None,
    ) -> SlotAnswer:
        """Take a job's update; one with a lower request epoch than its last changes nothing. The job is listed.

        `alone`: a new job is not entered (`busy`) while another one of its session is at work or in line.
        `end`: its end, with the update that it is gone; counted once.
        `stored`: changes of its tenant's bytes, counted with the end; without one, with the job's first update.
        """
        ...

    async def reconcile(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> ReconcileTurn:
        """Begin a sweep; `due_ms`: the time for which it was armed, 0 for the backstop. Free slots are filled.

        `again`: it began before, and may be the relay of any job's items: it goes through all jobs.
        `after`: it goes on where a page of `page` jobs ended; then no slot is given, and nothing armed.
        """
        ...

    async def slot_table(self) -> dict[str, QueueEntry]:
        """Return all entries, by job id."""
        ...

    async def entry(self, job_id: str) -> QueueEntry | None:
        """Return a job's entry; also of one that is gone, as a failover may have made its tree forget that."""
        ...

    async def may_request_reconcile(self, now_ms: int) -> bool:
        """Return whether a sweep may be requested now: once a minute per deployment, by the first caller."""
        ...

    async def first_value(self, name: str, value: str) -> str:
        """Return the value that was given first under this name, for an hour: this one, if there was none before.

        A failover may forget the last 20 s.
        """
        ...

    async def prune(self, ended: Sequence[tuple[str, int]]) -> None:
        """Remove jobs from the slot table: (job id, `since_ms` of its entry), unless they have sent an update since."""
        ...


class AdmissionControl(Protocol):
    """The same admission, as operators see it. Stopping and starting may be repeated."""

    async def stop(self, now_ms: int) -> None:
        """Admit no job any more; jobs that hold a slot go on."""
        ...

    async def start(self, now_ms: int, slots: int | None = None) -> Started:
        """Admit jobs again, and fill the free slots at once; each that got one is notified until it takes it.

        `slots`: how many there are from now on, 0: the setting; None: as many as before. Jobs that hold one beyond
        that go on.
        """
        ...

    async def state(self) -> AdmissionState:
        """Return the admission's state."""
        ...

    async def live(self, tenant: str = "") -> dict[str, QueueEntry]:
        """Return the entries of all jobs that are not known to be gone, by job id; of a tenant, children are left out.

        Those of a tenant cost what the tenant has, whatever others have.
        """
        ...

    async def line(self, tenant: str, session_id: str) -> dict[str, QueueEntry]:
        """Return the entries of a session's jobs at work or in line, by job id; children are left out."""
        ...

    async def ends(self) -> dict[str, AgentCounters]:
        """Return the sums of ended jobs, by agent."""
        ...

    async def used(self) -> tuple[MonthUsed, ...]:
        """Return the usage of the jobs of each month and tenant, oldest first."""
        ...

    async def days(self, names: Sequence[str]) -> tuple[DayUsed, ...]:
        """Return the usage of the jobs that ended on these days (`2026-11-25`), in the order of the days."""
        ...

    async def versions(self, agent: str) -> tuple[VersionSeen, ...]:
        """Return the versions of an agent that ended jobs ran, the one that was seen last first."""
        ...

    async def samples(self, now_ms: int) -> tuple[Sample, ...]:
        """Return the samples of the last hours, oldest first: noted by sweeps, so never on a job's path."""
        ...


class Scanned(Struct, frozen=True):
    """Rows that may match a query, newest first. `next`: the position at which to go on; empty: that is all."""

    found: tuple[Found, ...] = ()
    next: str = ""


class Listing(Protocol):
    """Rows of jobs. A row is a hint: its job may have ended otherwise by now, or be gone."""

    async def add(self, row: Row) -> None:
        """Write a job's rows and its text, unless they are there. Shares the HTTP request of a script sent now."""
        ...

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Read up to `limit` rows before that position (empty: from the newest one); in one request."""
        ...

    async def search_texts(self, query: Query, before: str, limit: int) -> Scanned:
        """Search for at least `limit` jobs before that position whose texts have the longest of the query's words.

        It reads whole shelves, so it may find more; in a few requests, so it may find fewer.
        """
        ...

    async def old(self, after: str, before_ms: int, limit: int) -> Scanned:
        """Return some of the jobs created before then, the oldest first, `limit` at most, behind that position."""
        ...

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows and texts of jobs that are gone, and of the jobs below them. Harmless when repeated."""
        ...


class StoredBytes(Protocol):
    """The sums of each tenant, beside the admission, which adds to them what a submission and an end report.

    A repeated `add` counts twice; nothing else of a job depends on these sums.
    """

    async def sums(self, tenant: str) -> dict[int, int]:
        """Return expiry (ms) → bytes; also times that are over, and sums below zero."""
        ...

    async def add(self, tenant: str, more: BytesAdded) -> None:
        """Add to the sums."""
        ...

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Remove sums whose time is over."""
        ...


class KeptEvents(Protocol):
    """A count for each tenant, beside the jobs: no step of a job reads it, and a count that is off harms no job.

    `recount` corrects it: it notices events that a job has taken, or lost with its data. The count expires when nothing
    was added for as long as ended jobs are kept.
    """

    async def count(self, tenant: str) -> int:
        """Return how many are counted; more than there are, where some were taken since."""
        ...

    async def add(self, tenant: str, job_id: str) -> None:
        """Count one more of a job."""
        ...

    async def recount(self, tenant: str) -> int:
        """Check some of the jobs, and give back events that they keep no more. Return the new count."""
        ...
