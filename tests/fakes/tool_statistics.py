"""How tools are used, as the fake store counted it."""

from baton.engine.all_jobs.tool_use import ToolCounters, counters
from tests.fakes import FakeStore


class FakeToolStatistics:
    """`ToolStatistics` over a FakeStore."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Of every tool that was ever used, by name."""
        return counters(self._store.tool_uses)
