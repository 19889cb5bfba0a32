"""The quota of bytes that a tenant has stored: what would exceed it is refused before anything is published or stored.

Jobs count, files of sessions, events of a tenant's own, and events, messages and scores for its jobs. Schedules never
expire, and their bytes stand with them (KeptSchedules): a new one has to fit beside all else, but a submission, which
pays for each command, does not read them. Invariant: without a limit nothing is read or counted. With one, a
submission reads it once more; its additions and those of its job's end travel with their admission updates. A store
that does not answer refuses no job. Sums may miss a job or have one too many (a crash between a deletion and its
count): never for longer than its data would be kept.
"""

import logging
from collections.abc import Iterable
from typing import Literal

from baton.engine.commit.answers import Recalled, Signal
from baton.engine.commit.stored_bytes import (
    LEAST_EVENT_MS,
    LEAST_FILE_MS,
    PARTS,
    BytesAdded,
    Keeping,
    Sums,
    below_at_ms,
    kept_bytes,
    signal_bytes,
    written_bytes,
)
from baton.engine.effects import Changes
from baton.engine.state import Job, Usage
from baton.sdk.clock import Clock
from baton.sdk.records.transcript import FOREVER_MS
from baton.settings.settings import Settings
from baton.store.redis.totals import StoredBytes
from baton_events.errors import StorageFullError, StoreError, TooLargeError

_log = logging.getLogger("baton.quota")


class StoredQuota:
    """Holds tenants to BYTES_KEPT_PER_TENANT."""

    def __init__(self, stored: StoredBytes | None, clock: Clock, settings: Settings) -> None:
        self._limit_bytes = settings.bytes_kept_per_tenant
        self._stored = stored if self._limit_bytes else None
        self._clock = clock
        retention_ms = settings.job_retention_seconds * 1000
        self._keeping, self._retention_ms = Keeping(retention_ms), retention_ms
        self._of_files = Keeping(max(retention_ms, LEAST_FILE_MS))
        self._of_events = Keeping(max(retention_ms, LEAST_EVENT_MS))

    async def check(self, tenant: str, size_bytes: int = 0, *, lasting_bytes: int = 0) -> None:
        """Check that a tenant may store this many bytes more; `lasting_bytes`: what it has beside, without end.

        Raises StorageFullError: there is no room for them now. TooLargeError: there never is.
        """
        if self._stored is None:
            return
        try:
            sums = {**await self._stored.sums(tenant), FOREVER_MS: lasting_bytes}
            now_ms = self._clock.now_ms()
            await self._forget(self._stored, tenant, sums, now_ms)
        except StoreError as error:
            _log.warning("the stored bytes of tenant %r are unknown, so it may store more: %s", tenant, error)
            return
        if size_bytes > self._limit_bytes:
            detail = f"{size_bytes} bytes are more than BYTES_KEPT_PER_TENANT allows in all: {self._limit_bytes}"
            raise TooLargeError(f"{detail}; send less")
        most_bytes = self._limit_bytes - max(size_bytes - 1, 0)
        if (size := kept_bytes(sums, now_ms)) >= most_bytes:
            wait_ms = min(below_at_ms(sums, now_ms, most_bytes) - now_ms, self._retention_ms)
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

    async def stored(self, tenant: str, kind: Literal["file", "event", "score"], size_bytes: int) -> None:
        """Count what is kept from now on: a score for as long as a job that ends now."""
        keeping = {"file": self._of_files, "event": self._of_events, "score": self._keeping}[kind]
        await self._add(tenant, keeping.moved([(self._clock.now_ms(), size_bytes)]))

    async def given_back(self, tenant: str, kept: Iterable[tuple[int, int]]) -> None:
        """Give back files that were removed: since when each was kept, and its size."""
        await self._add(tenant, self._of_files.moved([(at_ms, -size) for at_ms, size in kept]))

    def counts(self, signal: Signal) -> int:
        """Return how many bytes of a signal its job counts until it ends; an outcome counts with its end."""
        return 0 if self._stored is None or signal.call_id else signal_bytes(signal)

    async def signalled(self, job: Job, size_bytes: int) -> None:
        """Count the bytes of a signal that was recorded for a job, which its ledger has counted as well."""
        await self._add(job.tenant, self._keeping.submitted(job, size_bytes))

    async def retried(self, recalled: Recalled, again: Job) -> None:
        """Count an ended job as one that runs: until its next end it is as large as it was."""
        if again.id in recalled.written:
            await self._add(again.tenant, self._keeping.retried(recalled.written[again.id], again))

    async def removed(self, recalled: Recalled) -> None:
        """Give back the bytes that a job and those below it had stored."""
        await self._add(recalled.loaded.job.tenant, self._keeping.removed(recalled.written.values()))

    async def _add(self, tenant: str, more: BytesAdded) -> None:
        if self._stored is None or not more.adds:
            return
        try:
            await self._stored.add(tenant, more)
        except StoreError as error:
            _log.warning("the bytes of tenant %r are not counted as they are now: %s", tenant, error)
