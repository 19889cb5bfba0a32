"""Tidying: rows of jobs whose data has expired, or that never came to be, leave the list, some of them each hour.

Invariant: a row goes only when its job is unknown and so old that nobody can bring it back; a job that comes back for
another reason is listed again by its next word. What one hour leaves, another one finds.
"""

import logging

from events.ports import Clock, Listing, Reader

_log = logging.getLogger("baton.tidying")

_ROWS = 100
_HOUR_MS = 3_600_000


class Tidying:
    """Removes rows without a job."""

    def __init__(self, listing: Listing, reader: Reader, clock: Clock, retention_ms: int) -> None:
        self._listing = listing
        self._reader = reader
        self._clock = clock
        self._retention_ms = retention_ms

    async def tidy(self) -> int:
        """Look at some of the rows that are older than an ended job's data; how many jobs were forgotten."""
        now_ms = self._clock.now_ms()
        rows = await self._listing.old(now_ms - self._retention_ms - _HOUR_MS, now_ms // _HOUR_MS, _ROWS)
        known = await self._reader.jobs([row.job_id for row in rows])
        gone = [row for row in rows if row.job_id not in known]
        await self._listing.forget(gone)
        if gone:
            _log.info("%d job(s) without data left the list", len(gone))
        return len(gone)
