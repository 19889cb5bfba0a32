"""Finds what was said before a job in its session: from the list of jobs, and from those jobs themselves.

Invariant: nothing is kept for it beside the jobs, so it can neither be lost nor be out of step with them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from baton.conversation.exchanges import EXCHANGES, Exchange, exchange_of, still_valid
from baton.core.listing import Query
from baton.core.state import Job
from baton.ports import Listing, Reader, Snapshot, Store

# Also those that were replaced are found, and are left out.
_ROWS = 2 * EXCHANGES


class Earlier(Protocol):
    """Whoever knows what was said before."""

    async def before(self, job: Job, task: Mapping[str, Any]) -> tuple[Exchange, ...]:
        """The session's exchanges before this job, the oldest first. Raises StoreError."""
        ...


class EarlierJobs:
    """`Earlier` from the jobs of the session."""

    def __init__(self, listing: Listing, reader: Reader, store: Store) -> None:
        self._listing = listing
        self._reader = reader
        self._store = store

    async def before(self, job: Job, task: Mapping[str, Any]) -> tuple[Exchange, ...]:
        """The session's exchanges before this job."""
        query = Query(tenant=job.tenant, session_id=job.session_id, before_ms=job.created_at_ms + 1)
        scanned = await self._listing.scan(query, "", _ROWS)
        found = await self._reader.jobs([row.job_id for row in scanned.found])
        earlier = sorted((one for one in found.values() if _is_before(one.job, job)), key=lambda one: _order(one.job))
        # What this job replaces is left out, together with what came after that.
        kept = still_valid([*((one.job.id, one.task, one) for one in earlier), (job.id, task, None)])
        return tuple([exchange_of(await self._ended(one)) for one in kept if one is not None])

    async def _ended(self, snapshot: Snapshot) -> Snapshot:
        """A read may be older than the end that let the next job begin: the store's scripts are not."""
        if snapshot.job.ended:
            return snapshot
        loaded = await self._store.load(snapshot.job.id)
        return replace(snapshot, job=loaded.job) if loaded else snapshot


def _is_before(other: Job, job: Job) -> bool:
    """Rows tell sessions apart by a short mark only."""
    return (other.tenant, other.session_id) == (job.tenant, job.session_id) and _order(other) < _order(job)


def _order(job: Job) -> tuple[int, str]:
    return job.created_at_ms, job.id
