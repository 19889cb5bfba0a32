"""Counters and statistics of tools in memory: those of an InMemoryStore."""

from collections.abc import Mapping

from baton.engine.all_jobs.tool_use import ToolCounters, counters
from baton.storage.in_memory.store import InMemoryStore


class InMemoryCounters:
    """`Counters` over an InMemoryStore."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums."""
        self._store.sums.update(counts)

    async def sums(self) -> dict[str, int]:
        """Return all sums, by name."""
        return dict(self._store.sums)


class InMemoryToolStatistics:
    """`ToolStatistics` over an InMemoryStore."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Return the counters of every tool that was ever used, by name."""
        return counters(self._store.tool_uses)
