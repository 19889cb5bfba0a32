"""The quota of a tenant's events that no job waits for: each is kept with its job, which reads it with every step.

Invariant: an event that a job waits for is never refused, and costs nothing here. Another one costs a command before it
is taken in, and three after.
"""

import logging

from baton.api.auth import too_many
from baton.container import Container
from baton.core.work_items import ItemKind
from baton.ports import Snapshot
from baton_events.errors import StoreError

_log = logging.getLogger("baton.api")

# A tenant whose jobs keep what they kept when we looked is refused so long before we look again.
_LOOKS_AGAIN_MS = 10_000


class KeptQuota:
    """Holds tenants to EVENTS_KEPT_PER_TENANT."""

    def __init__(self, container: Container) -> None:
        self._kept, self._clock = container.ports.kept_events, container.ports.clock
        self._limit = container.settings.events_kept_per_tenant
        self._full: dict[str, int] = {}

    async def check(self, snapshot: Snapshot, name: str) -> None:
        """Let one more event of that name be kept for a job, if no wait of it takes it.

        Raises:
            ApiError: 429, its tenant has as many as it may. StoreError: no answer.
        """
        tenant, now_ms = snapshot.job.tenant, self._clock.now_ms()
        if self._kept is None or not self._limit or is_awaited(snapshot, name):
            return
        if (count := await self._kept.count(tenant)) < self._limit:
            return
        if self._full.get(tenant, 0) <= now_ms:
            if (count := await self._kept.recount(tenant)) < self._limit:
                return
            self._full = {other: until_ms for other, until_ms in self._full.items() if until_ms > now_ms}
            self._full[tenant] = now_ms + _LOOKS_AGAIN_MS
        detail = (
            f"tenant {tenant!r} has {count} events that no job waits for, and EVENTS_KEPT_PER_TENANT allows"
            f" {self._limit}; they are given back when a job takes them, ends or is deleted"
        )
        raise too_many(detail, (self._full[tenant] - now_ms) / 1000)

    async def add(self, snapshot: Snapshot, name: str) -> None:
        """Count an event that was taken in. It stays, so a store that does not answer now is no error of it."""
        if self._kept is None or not self._limit or is_awaited(snapshot, name):
            return
        try:
            await self._kept.add(snapshot.job.tenant, snapshot.job.id)
        except StoreError as error:
            _log.warning("an event of job %s is kept and not counted: %s", snapshot.job.id, error)


def is_awaited(snapshot: Snapshot, name: str) -> bool:
    """Whether the job waits for an event of that name, as it was read."""
    return any(item.kind is ItemKind.WAIT and item.event == name for item in snapshot.items)
