"""What operators did, in memory."""

from baton.storage.ports.access import AuditEntry
from baton_events.errors import StoreError


class FakeAuditLog:
    """`AuditLog` over a list. `down`: raised instead of an answer."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.down: StoreError | None = None

    async def add(self, entry: AuditEntry) -> None:
        if self.down:
            raise self.down
        self.entries.append(entry)

    async def page(self, before: str, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        if self.down:
            raise self.down
        end = int(before.partition("-")[0]) - 1 if before else len(self.entries)
        numbered = [(f"{number}-0", entry) for number, entry in enumerate(self.entries[:end], 1)]
        return tuple(reversed(numbered))[:limit]
