"""The stream of outcomes in memory: entries, which of them are taken, and which operations wait."""

from collections.abc import Sequence

from baton.storage.ports.operation_stream import StreamEntry


class InMemoryOperationStream:
    """`OperationStream` in memory. A test adds entries, and says that a minute has passed (`let_go`)."""

    def __init__(self) -> None:
        self.entries: dict[str, StreamEntry] = {}
        self.taken: set[str] = set()
        self.buried: dict[str, str] = {}
        self.waiting: dict[str, int] = {}
        self.at_once, self.trimmed = 1_000, 0

    def add(self, entry_id: str, **fields: str) -> None:
        """Somebody adds an outcome."""
        self.entries[entry_id] = StreamEntry(entry_id, fields)

    def let_go(self) -> None:
        """Who has taken entries has been silent for a minute."""
        self.taken.clear()

    async def take(self) -> Sequence[StreamEntry]:
        """Entries that nobody has taken."""
        free = [entry for name, entry in self.entries.items() if name not in self.taken][: self.at_once]
        self.taken.update(entry.id for entry in free)
        return free

    async def done(self, entry_ids: Sequence[str]) -> None:
        """These are not given to anybody again."""
        for name in entry_ids:
            self.entries.pop(name)

    async def bury(self, entry: StreamEntry, reason: str) -> None:
        """Keep it with the reason."""
        self.buried[entry.id] = reason
        self.entries.pop(entry.id)

    async def trim(self) -> None:
        """Nothing that was taken in is kept here."""
        self.trimmed += 1

    async def expect(self, operation_id: str, until_ms: int) -> None:
        """An operation waits for its outcome."""
        self.waiting[operation_id] = until_ms

    async def forget(self, operation_id: str) -> None:
        """It waits no longer."""
        self.waiting.pop(operation_id, None)

    async def expected(self, now_ms: int) -> int:
        """How many wait."""
        self.waiting = {name: until_ms for name, until_ms in self.waiting.items() if until_ms > now_ms}
        return len(self.waiting)
