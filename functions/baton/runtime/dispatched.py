"""What one invocation has dispatched already: each item once, but for news from the admission, or after a failover."""

from baton.core.work_items import CLOCK_ERROR_MS, WorkItem


class Dispatched:
    """The items that one delivery has published, or found that nothing comes of. `rounds`: how often it began anew."""

    def __init__(self) -> None:
        self.rounds = 0
        self._keys: set[str] = set()
        self._later: dict[str, int] = {}

    def keys(self) -> frozenset[str]:
        """The keys of these work items."""
        return frozenset(self._keys)

    def has(self, item: WorkItem, now_ms: int) -> bool:
        """Whether this work item is one of them."""
        return item.key in self._keys or self.is_under_way(item, now_ms)

    def is_under_way(self, item: WorkItem, now_ms: int) -> bool:
        """Whether it is published for a time that has not come yet, whatever the admission says meanwhile."""
        return self._later.get(item.key, 0) == item.free_at_ms() > now_ms + CLOCK_ERROR_MS

    def add(self, item: WorkItem) -> None:
        """It is published now."""
        self._keys.add(item.key)
        self._later[item.key] = item.free_at_ms()

    def leave(self, item_key: str) -> None:
        """Nothing comes of it now: it stays in the state, to be told again by somebody else."""
        self._keys.add(item_key)

    def discard(self, item_key: str) -> None:
        """It is done: where a failover brings it back, it is dispatched again."""
        self._keys.discard(item_key)

    def begin_anew(self) -> None:
        """A slot was given, or a failover forgot: work that was dispatched before is dispatched again.

        Not for a slot request that must wait: two of them would bring each other back without end.
        """
        self.rounds += 1
        self._keys.clear()
