"""Records of app events: the event, its handlers, and notes besides its jobs. For people and replays."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field


class EventRecord(Struct, frozen=True):
    """One app event: the message's body, its handlers' names, and notes by name. `new`: it was not there before."""

    event: str
    handlers: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict[str, str])
    new: bool = False


class AppEvents(Protocol):
    """Records by event id; each is kept as long as an ended job. Each method raises StoreError, and may be repeated."""

    async def add(self, event_id: str, event: str, handlers: tuple[str, ...] = ()) -> EventRecord:
        """Keep an event, unless it is there, and these of its handlers; return its record."""
        ...

    async def note(self, event_id: str, name: str, text: str) -> str:
        """Keep a note, unless one of this name is there; return the one that is kept."""
        ...

    async def find(self, event_id: str, *, noted: bool = False) -> EventRecord | None:
        """Return the record of an event; None: there is none. `noted`: also one that has notes alone, as of a job."""
        ...

    async def wait(self, name: str, call_id: str, until_ms: int, now_ms: int) -> str:
        """Note that a call waits for events known as `name`; return the data of the one that is kept, empty: none."""
        ...

    async def keep(self, name: str, data: str) -> None:
        """Keep an event's data for waits that begin later, unless one is kept."""
        ...

    async def waiting(self, name: str, now_ms: int, limit: int) -> tuple[str, ...]:
        """Return some of the calls that wait for events known as `name`."""
        ...

    async def count_waiting(self, name: str, now_ms: int) -> int:
        """Return how many calls wait for events known as `name`."""
        ...

    async def met(self, name: str, call_ids: Sequence[str]) -> None:
        """Note that these wait no more."""
        ...

    async def append(self, name: str, entries: Sequence[str]) -> tuple[str, ...]:
        """Add to the end of the list of this name, which only grows; return all of it."""
        ...

    async def newest(self, name: str, number: int = 0, kept_ms: int = 0) -> int:
        """Note the number of an event known as `name`, 0: none; return the highest that is noted, 0: none.

        `kept_ms`: how much longer than an ended job it is kept; a later note never shortens that.
        """
        ...
