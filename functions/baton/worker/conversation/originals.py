"""Copies of exchanges in memory follow their originals: of what is replaced, rolled back or deleted, none stays.

A message that is edited or answered anew replaces a job, with all behind it. Invariant: it may be repeated; a copy that
is written later is refused. Must not: forget what another session remembers.
"""

from collections.abc import Mapping
from typing import Any

from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.sdk.memory.keeper import MemoryKeeper
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.worker.conversation.exchanges import order, replaced_by

_ROWS = 100


class Originals:
    """The jobs whose exchanges are remembered. Each method raises StoreError and MemoryUnavailableError."""

    def __init__(self, listing: Listing, reader: Reader, keeper: MemoryKeeper) -> None:
        self._listing, self._reader, self._keeper = listing, reader, keeper

    async def forget_copies_of(self, job: Job) -> None:
        """Forget what is remembered of a job, and of those below it."""
        await self._keeper.forget_jobs(job.tenant, job.session_id, (job.id,))

    async def forget_replaced(self, job: Job, task: Mapping[str, Any]) -> None:
        if replaced := await self.replaced(job, task):
            await self._keeper.forget_jobs(job.tenant, job.session_id, replaced)

    async def replaced(self, job: Job, task: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the jobs that this one replaces: one, with all behind it."""
        if not (first := replaced_by(task)):
            return ()
        known = (await self._reader.jobs([first])).get(first)
        begins, replaced, position = known and (known.job.created_at_ms, first), [first], ""
        while begins:
            query = Query(tenant=job.tenant, session_id=job.session_id, before_ms=job.created_at_ms + 1)
            scanned = await self._listing.scan(query, position, _ROWS)
            rows = [(row.created_ms, row.job_id) for row in scanned.found]
            replaced += [job_id for created_ms, job_id in rows if begins < (created_ms, job_id) < order(job)]
            position = scanned.next
            if not position or (rows and rows[-1] < begins):
                break
        return tuple(dict.fromkeys(replaced))
