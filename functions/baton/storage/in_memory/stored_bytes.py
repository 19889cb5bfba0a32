"""The stored bytes in memory: kept with the admission, so that a failover forgets both together."""

from collections.abc import Iterable

from baton.engine.commit.stored_bytes import BytesAdded
from baton.storage.in_memory.admission import InMemoryAdmission


class InMemoryStoredBytes:
    """`StoredBytes` over an InMemoryAdmission."""

    def __init__(self, admission: InMemoryAdmission) -> None:
        self._admission = admission

    async def sums(self, tenant: str) -> dict[int, int]:
        """Return all sums."""
        return dict(self._admission.stored.get(tenant, {}))

    async def add(self, tenant: str, more: BytesAdded) -> None:
        """Add to the sums."""
        if more.adds:
            self._admission.add_stored(tenant, more)

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Take sums out."""
        over, sums = frozenset(until_ms), self._admission.stored.get(tenant, {})
        left = {each: size for each, size in sums.items() if each not in over}
        self._admission.stored = {**self._admission.stored, tenant: left}
