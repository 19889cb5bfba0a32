"""Pruning: rows of jobs whose data has expired, or that never came to be, leave the lists.

Invariant: a row goes only when its job is unknown and so old that nobody can bring it back; a job that comes back for
another reason is listed again by its next admission update. A run goes from the oldest row on for a bounded time; a
message carries on where it ended, so that pruning keeps up with any rate. Where that message is lost, the next hour
begins anew.
"""

import json
import logging

from baton.ports import Clock, Listing, Reader
from baton_events.emitter import Emitter
from baton_events.errors import PublishError
from baton_events.schema import SWEEP_ENDPOINT

_log = logging.getLogger("baton.pruning")

PAGE_ROWS = 250
# Of one run: well within what a function of the sweep may take.
RUN_MS = 15_000
_HOUR_MS = 3_600_000


class Pruning:
    """Removes rows without a job."""

    def __init__(self, listing: Listing, reader: Reader, emitter: Emitter, clock: Clock, retention_ms: int) -> None:
        self._listing = listing
        self._reader = reader
        self._emitter = emitter
        self._clock = clock
        self._retention_ms = retention_ms

    async def prune(self, after: str = "") -> int:
        """Look at rows that are older than an ended job's data, from this position on; how many jobs were forgotten."""
        began_ms, forgotten = self._clock.now_ms(), 0
        while True:
            scanned = await self._listing.old(after, began_ms - self._retention_ms - _HOUR_MS, PAGE_ROWS)
            known = await self._reader.known([row.job_id for row in scanned.found])
            gone = [row for row in scanned.found if row.job_id not in known]
            await self._listing.forget(gone)
            forgotten, after = forgotten + len(gone), scanned.next
            if not after:
                break
            if self._clock.now_ms() - began_ms >= RUN_MS:
                await self._carry_on(after)
                break
        if forgotten:
            _log.info("%d job(s) without data left the lists", forgotten)
        return forgotten

    async def _carry_on(self, after: str) -> None:
        try:
            body = json.dumps({"pruneAfter": after})
            await self._emitter.emit_to(SWEEP_ENDPOINT, body, deduplication_id=f"prune.{after.replace(':', '.')}")
        except PublishError as error:
            _log.warning("the lists are pruned further by the next hourly sweep only: %s", error)
