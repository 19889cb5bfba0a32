"""The quota of bytes that the jobs of a tenant have stored: a job over it is refused before anything is published.

Invariant: without a limit nothing is read or counted. With one, a submission reads it once more; its additions and
those of its job's end travel with their admission updates. A store that does not answer refuses no job. Sums may miss a
job or have one too many (a crash between a deletion and its count): never for longer than its data would be kept.
"""

import logging

from baton.clock import Clock
from baton.engine.commit.answers import Recalled
from baton.engine.commit.stored_bytes import PARTS, BytesAdded, Keeping, Sums, below_at_ms, kept_bytes, written_bytes
from baton.engine.effects import Changes
from baton.engine.state import Job, Usage
from baton.settings.settings import Settings
from baton.storage.ports.all_jobs import StoredBytes
from baton_events.errors import StorageFullError, StoreError

_log = logging.getLogger("baton.quota")


class StoredQuota:
    """Holds tenants to BYTES_KEPT_PER_TENANT."""

    def __init__(self, stored: StoredBytes | None, clock: Clock, settings: Settings) -> None:
        self._limit_bytes = settings.bytes_kept_per_tenant
        self._stored = stored if self._limit_bytes else None
        self._clock = clock
        self._keeping = Keeping(settings.job_retention_seconds * 1000)

    async def check(self, tenant: str) -> None:
        """Check that a tenant may submit one more job.

        Raises:
            StorageFullError: its jobs have stored as much as they may.
        """
        if self._stored is None:
            return
        try:
            sums = await self._stored.sums(tenant)
            now_ms = self._clock.now_ms()
            await self._forget(self._stored, tenant, sums, now_ms)
        except StoreError as error:
            _log.warning("the stored bytes of tenant %r are unknown, so it may store more: %s", tenant, error)
            return
        if (size := kept_bytes(sums, now_ms)) >= self._limit_bytes:
            wait_ms = below_at_ms(sums, now_ms, self._limit_bytes) - now_ms
            raise StorageFullError(tenant, size, self._limit_bytes, wait_ms)

    async def _forget(self, stored: StoredBytes, tenant: str, sums: Sums, now_ms: int) -> None:
        """Remove sums that are over; seldom, so that a submission makes one more request and not two."""
        over = [until_ms for until_ms in sums if until_ms <= now_ms]
        if len(over) > PARTS:
            await stored.forget(tenant, over)

    def submitted(self, job: Job, changes: Changes) -> BytesAdded | None:
        """Return what a job with these first changes adds; None: nothing is counted."""
        return self._keeping.submitted(job, written_bytes(changes)) if self._stored else None

    def ended(self, job: Job, usage: Usage) -> BytesAdded | None:
        """Return what the end of a job changes; None: nothing is counted."""
        return self._keeping.ended(job, usage) if self._stored else None

    async def retried(self, recalled: Recalled, again: Job) -> None:
        """Count an ended job as one that runs: until its next end it is as large as it was."""
        if again.id in recalled.written:
            await self._add(again, self._keeping.retried(recalled.written[again.id], again))

    async def removed(self, recalled: Recalled) -> None:
        """Give back the bytes that a job and those below it had stored."""
        await self._add(recalled.loaded.job, self._keeping.removed(recalled.written.values()))

    async def _add(self, job: Job, more: BytesAdded) -> None:
        if self._stored is None:
            return
        try:
            await self._stored.add(job.tenant, more)
        except StoreError as error:
            _log.warning("the bytes of job %s are not counted as they are now: %s", job.id, error)
