"""The deployment's counters: sums over all jobs that functions without a memory of their own add to."""

from collections.abc import Mapping
from typing import Protocol


class Counters(Protocol):
    """Sums for people and monitoring; nothing is decided by them.

    What COMMIT tells (`Changes.counts`) is in them. A request that is repeated may count twice, and a failover of the
    store may forget the last 20 s of them.
    """

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums, by name."""
        ...

    async def sums(self) -> dict[str, int]:
        """All sums, by name."""
        ...
