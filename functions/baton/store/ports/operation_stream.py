"""Outcomes of operations by a stream of the store, for systems that write to Redis instead of calling a webhook."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class StreamEntry(Struct, frozen=True):
    """One entry: its id, which begins with the time at which it was added, and its fields."""

    id: str
    fields: dict[str, str]

    @property
    def added_ms(self) -> int:
        """The time at which it was added, by the store's clock."""
        return int(self.id.partition("-")[0])


class OperationStream(Protocol):
    """The stream `operations:completed`, at least once; and the operations that wait for an outcome by it."""

    async def take(self) -> Sequence[StreamEntry]:
        """Return entries that are not taken, and those taken a minute ago and not done; a bounded number."""
        ...

    async def done(self, entry_ids: Sequence[str]) -> None:
        """Mark entries as taken in, so that they are not given out again."""
        ...

    async def bury(self, entry: StreamEntry, reason: str) -> None:
        """Keep an entry that can never be taken in, with the reason, where a person finds it."""
        ...

    async def trim(self) -> None:
        """Drop the oldest entries beyond the limit, of those that were taken in."""
        ...

    async def expect(self, operation_id: str, until_ms: int) -> None:
        """Note that an operation waits for its outcome, until `until_ms` at the latest."""
        ...

    async def forget(self, operation_id: str) -> None:
        """Note that it waits no longer."""
        ...

    async def expected(self, now_ms: int) -> int:
        """Return how many operations wait."""
        ...
