"""Outcomes of operations by a stream of the store, for systems that write to Redis instead of calling a webhook."""

from msgspec import Struct


class StreamEntry(Struct, frozen=True):
    """One entry: its id, which begins with the time at which it was added, and its fields."""

    id: str
    fields: dict[str, str]

    @property
    def added_ms(self) -> int:
        """The time at which it was added, by the store's clock."""
        return int(self.id.partition("-")[0])
