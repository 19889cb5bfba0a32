"""The deployment's counters: sums over all jobs, for functions that have no memory of their own.

A COMMIT writes most of them; the others are added here. Invariant: nothing depends on counters, so a store that does
not accept them harms nothing.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from baton.engine.all_jobs.tool_use import ToolCounters
from baton_events.errors import StoreError


class Counters(Protocol):
    """Sums for people and monitoring; no code decides by them.

    The counts of a COMMIT (`Changes.counts`) are in them once its invocation has ended. A repeated request may count
    twice, a process that dies may count nothing, and a failover of the store may lose the last 20 s of them.
    """

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums, by name."""
        ...

    async def sums(self) -> dict[str, int]:
        """Return all sums, by name."""
        ...


class ToolStatistics(Protocol):
    """Counters for people. A repeated COMMIT may count twice, one that is lost with its process not at all."""

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Return the counters of every tool ever used, by name."""
        ...


_log = logging.getLogger("baton.store")


async def count(counters: Counters, counts: Mapping[str, int]) -> None:
    """Add to the sums; a store that does not answer is only logged."""
    try:
        await counters.add(counts)
    except StoreError as error:
        _log.warning("not counted: %s: %s", ", ".join(counts), error)
