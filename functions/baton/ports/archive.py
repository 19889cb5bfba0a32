"""Ended jobs: what a retry or a deletion needs of them, and what is left when their data is gone."""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field

from baton.core.retrying import EndedJob
from baton.core.state import NOTHING_USED, Job, Usage
from baton.core.work_items import WorkItem
from baton.ports.facts import Loaded


class Untold(Struct, frozen=True):
    """A request that the admission may not have heard, the job whose it is, and what the job's usage ledger says."""

    slot_request: WorkItem
    job: Job
    usage: Usage = NOTHING_USED


class Recalled(Struct, frozen=True):
    """A job, ended or not, as one script read it.

    `slot_requests`: what its tree has not told the admission yet. `written`: of the job and those below it that have
    ended: when, and how many bytes its usage ledger says were stored.
    """

    loaded: Loaded
    ended: EndedJob
    slot_requests: tuple[Untold, ...] = ()
    written: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


class Tombstone(Struct, frozen=True):
    """What is kept of a job whose data is gone: whose it was, and whether somebody deleted it or it expired."""

    tenant: str
    deleted: bool


class Removed(StrEnum):
    """What became of a removal: `changed` means that the job is not as it was recalled, and nothing was removed."""

    REMOVED = "removed"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class Archive(Protocol):
    """Ended jobs. Each method is one atomic script on one hash tag, harmless when repeated."""

    async def recall(self, job_id: str) -> Recalled | None:
        """A job with what a retry or a removal is decided on; None when unknown. Never an old read."""
        ...

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:
        """Remove a root with all below it, and leave a tombstone, if it has ended and is as it was recalled.

        Its slot requests must have been told to the admission by then: nobody tells them afterwards.
        """
        ...

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is kept of a job, or of the one above it, whose data is gone; None: nothing, or its data is there."""
        ...
