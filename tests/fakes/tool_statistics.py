"""How tools are used, as the fake store counted it."""

from baton.core.tool_use import ToolFigures, figures
from tests.fakes import FakeStore


class FakeToolStatistics:
    """`ToolStatistics` over a FakeStore."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def figures(self) -> tuple[ToolFigures, ...]:
        """Of every tool that was ever used, by name."""
        return figures(self._store.tool_uses)
