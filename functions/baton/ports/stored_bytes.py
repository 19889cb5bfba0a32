"""How many bytes the jobs of a tenant have stored, for the quota."""

from collections.abc import Iterable
from typing import Protocol

from baton.core.stored_bytes import BytesAdded


class StoredBytes(Protocol):
    """The sums of each tenant, beside the admission, which adds to them what a submission and an end are told with.

    A repeated `add` counts twice; nothing else of a job depends on these sums.
    """

    async def sums(self, tenant: str) -> dict[int, int]:
        """Until when (ms) → how many bytes; also times that are over, and less than nothing."""
        ...

    async def add(self, tenant: str, more: BytesAdded) -> None:
        """Add to the sums."""
        ...

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Take out sums whose time is over."""
        ...
