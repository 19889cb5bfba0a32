"""The counters, as the fake store was told them."""

from collections.abc import Mapping

from tests.fakes import FakeStore


class FakeCounters:
    """`Counters` over a FakeStore."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums."""
        self._store.sums.update(counts)

    async def sums(self) -> dict[str, int]:
        """All sums, by name."""
        return dict(self._store.sums)
