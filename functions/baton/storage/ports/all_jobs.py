"""What is kept of all jobs together: slots and session lines, the list of jobs, and sums for quotas.

The list is written beside what a job needs, so a list that fails is a gap in a page.
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
from baton.sdk.record import Record


class SlotGranted(Struct, frozen=True):
    """Another job that got a slot, and must be notified."""

    job_id: str
    epoch: int
    session_id: str


class SlotAnswer(Record, frozen=True):
    """The admission's answer: whether the asker holds a slot, whom to tell, and when a sweep must be armed (0: not).

    `later_epoch`: the request epoch of a later word of this job, which the admission knows and accepts instead; 0:
    there is none. `busy`: the job was to be alone in its session, and is not: it was not entered.
    """

    slot: bool
    granted: tuple[SlotGranted, ...] = ()
    reconcile_at_ms: int = 0
    later_epoch: int = 0
    busy: bool = False


class ReconcileTurn(Struct, frozen=True):
    """When to arm the next sweep (0: not, for a copy older than the one armed last, or while nobody holds a slot).

    `slot_table`: the entries of a page of those that it looks at, with their trees. `granted`: who holds a slot and has
    not taken it yet, by whosever word they got it. `after`: where the next page begins; empty: this is the last one.
    """

    next_ms: int = 0
    slot_table: dict[str, QueueEntry] = field(default_factory=dict[str, QueueEntry])
    granted: tuple[SlotGranted, ...] = ()
    after: str = ""


class AdmissionState(Struct, frozen=True):
    """How the admission stands. `stopped_ms`: since when nobody is admitted, 0: somebody is; `reconciled_ms`: 0: never.

    `active`: jobs that hold a slot; `pending`: jobs in line for one.
    """

    slots: int
    active: int
    pending: int
    stopped_ms: int = 0
    reconciled_ms: int = 0


class Started(Struct, frozen=True):
    """Jobs are admitted again: when a sweep must be armed (0: not), and whom to tell."""

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
        `end`: how it ended, with the word that it is gone; counted once.
        `stored`: what that changes of its tenant's bytes, counted with the end; without one, with a job's first word.
        """
        ...

    async def reconcile(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> ReconcileTurn:
        """A sweep begins; `due_ms` is when it was armed for, 0 for the backstop. Free slots are filled.

        `again`: it began before, and may carry what belongs to any job: it hears of everybody.
        `after`: it goes on where a page of so many jobs ended; then no slot is given, and nothing armed.
        """
        ...

    async def slot_table(self) -> dict[str, QueueEntry]:
        """All entries, by job id."""
        ...

    async def entry(self, job_id: str) -> QueueEntry | None:
        """A job's entry; also of one that is gone, since a failover may have made its tree forget so."""
        ...

    async def may_request_reconcile(self, now_ms: int) -> bool:
        """Whether a sweep may be asked for now: once a minute per deployment, to the first that asks."""
        ...

    async def first_value(self, name: str, value: str) -> str:
        """The value that was given first under this name, for an hour: this one, if there was none before.

        A failover may forget the last 20 s.
        """
        ...

    async def prune(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take jobs off the slot table: (job id, `since_ms` of its entry), unless they have said something since."""
        ...


class AdmissionControl(Protocol):
    """The same admission, as operators see it. Stopping and starting may be repeated."""

    async def stop(self, now_ms: int) -> None:
        """Admit nobody any more; who holds a slot goes on."""
        ...

    async def start(self, now_ms: int, slots: int | None = None) -> Started:
        """Admit jobs again, and fill the free slots at once; each that got one is notified until it takes it.

        `slots`: how many there are from now on, 0: as many as the setting says; None: as many as before. Of more jobs
        that hold one each goes on.
        """
        ...

    async def state(self) -> AdmissionState:
        """How it stands."""
        ...

    async def live(self) -> dict[str, QueueEntry]:
        """The entries of all jobs that have not said that they are gone, by job id."""
        ...

    async def line(self, tenant: str, session_id: str) -> dict[str, QueueEntry]:
        """The entries of a session's jobs at work or in line, by job id; children are none of them."""
        ...

    async def ends(self) -> dict[str, AgentCounters]:
        """What ended jobs add up to, by agent."""
        ...

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used, oldest first."""
        ...

    async def days(self, names: Sequence[str]) -> tuple[DayUsed, ...]:
        """What the jobs that ended on these days (`2026-11-25`) have used, in the order of the days."""
        ...

    async def versions(self, agent: str) -> tuple[VersionSeen, ...]:
        """The versions of an agent that ended jobs ran, the one that was seen last first."""
        ...

    async def samples(self, now_ms: int) -> tuple[Sample, ...]:
        """How it stood in the last hours, oldest first: noted by sweeps, so never on a job's path."""
        ...


class Scanned(Struct, frozen=True):
    """Rows that a query may mean, newest first. `next`: the position at which to go on; empty: that is all."""

    found: tuple[Found, ...] = ()
    next: str = ""


class Listing(Protocol):
    """Rows of jobs. A row is a hint: its job may have ended otherwise by now, or be gone."""

    async def add(self, row: Row) -> None:
        """Write a job's rows and its text, unless they are there. Shares the HTTP request of a script sent now."""
        ...

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Look at up to `limit` rows before that position (empty: from the newest one); in one request."""
        ...

    async def search(self, query: Query, before: str, limit: int) -> Scanned:
        """Look for at least `limit` jobs before that position whose texts have the longest of the query's words.

        It looks at whole shelves, so it may find more; in a few requests, so it may find fewer.
        """
        ...

    async def old(self, after: str, before_ms: int, limit: int) -> Scanned:
        """Some of the jobs created before then, the oldest first, `limit` at most, behind that position."""
        ...

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows and texts of jobs that are gone, and of the jobs below them. Harmless when repeated."""
        ...


class StoredBytes(Protocol):
    """The sums of each tenant, beside the admission, which adds to them what a submission and an end report.

    A repeated `add` counts twice; nothing else of a job depends on these sums.
    """

    async def sums(self, tenant: str) -> dict[int, int]:
        """Until when (ms) → how many bytes; also times that are over, and less than nothing."""
        ...

    async def add(self, tenant: str, more: BytesAdded) -> None:
        """Add to the sums."""
        ...

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Take out sums whose time is over."""
        ...


class KeptEvents(Protocol):
    """A count for each tenant, beside the jobs: no step of a job asks for it, and a count that is off harms no job.

    It is given back by looking: what a job has taken, or lost with its data, is noticed by `recount`. It forgets itself
    when nothing was added for as long as ended jobs are kept.
    """

    async def count(self, tenant: str) -> int:
        """How many are counted; more than there are, where some were taken since."""
        ...

    async def add(self, tenant: str, job_id: str) -> None:
        """Count one more of a job."""
        ...

    async def recount(self, tenant: str) -> int:
        """Look at some of the jobs, and give back what they keep no more. Returns how many are counted then."""
        ...
