"""The deployment's counters: sums over all jobs, for functions that have no memory of their own.

A COMMIT carries most of them along; the others are added here. Invariant: nothing rests on counters, so a store that
does not take them harms nothing.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from baton.engine.all_jobs.tool_use import ToolCounters
from baton_events.errors import StoreError


class Counters(Protocol):
    """Sums for people and monitoring; nothing is decided by them.

    What COMMIT counts (`Changes.counts`) is in them once its invocation has ended. A request that is repeated may count
    twice, a process that dies may count nothing, and a failover of the store may forget the last 20 s of them.
    """

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums, by name."""
        ...

    async def sums(self) -> dict[str, int]:
        """All sums, by name."""
        ...


class ToolStatistics(Protocol):
    """Counters for people. A COMMIT that is repeated may count twice, one that is lost with its process not at all."""

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Of every tool that was ever used, by name."""
        ...


_log = logging.getLogger("baton.store")


async def count(counters: Counters, counts: Mapping[str, int]) -> None:
    """Add to the sums, as far as the store takes it."""
    try:
        await counters.add(counts)
    except StoreError as error:
        _log.warning("not counted: %s: %s", ", ".join(counts), error)
