"""The stream of outcomes in memory: entries, those of them that are taken, and the operations that wait."""

from collections.abc import Sequence

from baton.storage.ports.operation_stream import StreamEntry


class InMemoryOperationStream:
    """`OperationStream` in memory. A test adds entries, and lets a minute pass (`let_go`)."""

    def __init__(self) -> None:
        self.entries: dict[str, StreamEntry] = {}
        self.taken: set[str] = set()
        self.buried: dict[str, str] = {}
        self.waiting: dict[str, int] = {}
        self.at_once, self.trimmed = 1_000, 0

    def add(self, entry_id: str, **fields: str) -> None:
        """Add an outcome, as another system does."""
        self.entries[entry_id] = StreamEntry(entry_id, fields)

    def let_go(self) -> None:
        """Free the taken entries, as a minute of silence does."""
        self.taken.clear()

    async def take(self) -> Sequence[StreamEntry]:
        """Return entries that are not taken."""
        free = [entry for name, entry in self.entries.items() if name not in self.taken][: self.at_once]
        self.taken.update(entry.id for entry in free)
        return free

    async def done(self, entry_ids: Sequence[str]) -> None:
        """Remove entries, so that they are not given out again."""
        for name in entry_ids:
            self.entries.pop(name)

    async def bury(self, entry: StreamEntry, reason: str) -> None:
        """Keep the entry with the reason."""
        self.buried[entry.id] = reason
        self.entries.pop(entry.id)

    async def trim(self) -> None:
        """Count the call; no entry is kept here after it was taken in."""
        self.trimmed += 1

    async def expect(self, operation_id: str, until_ms: int) -> None:
        """Note that an operation waits for its outcome."""
        self.waiting[operation_id] = until_ms

    async def forget(self, operation_id: str) -> None:
        """Note that it waits no longer."""
        self.waiting.pop(operation_id, None)

    async def expected(self, now_ms: int) -> int:
        """Return how many operations wait."""
        self.waiting = {name: until_ms for name, until_ms in self.waiting.items() if until_ms > now_ms}
        return len(self.waiting)
