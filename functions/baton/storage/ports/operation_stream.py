"""Outcomes of operations by a stream of the store, for systems that would rather write to Redis than call a webhook."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class StreamEntry(Struct, frozen=True):
    """One entry: its id, which begins with the time at which it was added, and its fields."""

    id: str
    fields: dict[str, str]

    @property
    def added_ms(self) -> int:
        """When it was added, by the store's clock."""
        return int(self.id.partition("-")[0])


class OperationStream(Protocol):
    """The stream `operations:completed`, at least once; and which operations wait for something to come by it."""

    async def take(self) -> Sequence[StreamEntry]:
        """Entries that nobody has taken, and such that were taken a minute ago and are not done; a bounded number."""
        ...

    async def done(self, entry_ids: Sequence[str]) -> None:
        """These are taken in, and not given to anybody again."""
        ...

    async def bury(self, entry: StreamEntry, reason: str) -> None:
        """This one cannot be taken in, ever: it is kept, with the reason, where a person finds it."""
        ...

    async def trim(self) -> None:
        """Drop the oldest entries beyond the limit, of those that were taken in."""
        ...

    async def expect(self, operation_id: str, until_ms: int) -> None:
        """An operation waits for its outcome, until then at the longest."""
        ...

    async def forget(self, operation_id: str) -> None:
        """It waits no longer."""
        ...

    async def expected(self, now_ms: int) -> int:
        """How many wait."""
        ...
