"""Jobs as people and programs read them."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import field

from baton.core.admission import SlotState
from baton.core.state import CallRecord, Job, Usage
from baton.core.work_items import WorkItem
from baton.record import Record


class Snapshot(Record, frozen=True):
    """Everything about one job, for showing it.

    `memory`: the transcript's entry of what was retrieved for it. `stopped`: nobody is admitted at present.
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


class StoredParts(Record, frozen=True):
    """Parts of a job's stream from a position on, and whether the job has ended. `job` is None for an unknown job."""

    job: Job | None
    parts: tuple[str, ...] = ()


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

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """All entries of the job's transcript, in order; none when unknown."""
        ...

    async def parts(self, job_id: str, after: int) -> StoredParts:
        """The job's parts after the first `after` ones."""
        ...

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """One tool call of a job, and its stored result; None and nothing where there is none."""
        ...

    async def parts_after(self, job_id: str, after: int) -> tuple[str, ...]:
        """Those parts alone, with one command: for a job that is known, and of which nothing is expected yet."""
        ...

    async def ping(self) -> None:
        """Raises StoreError unless the store answers."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
