"""Records of app events in memory."""

from collections.abc import Sequence

from msgspec.structs import replace

from baton.storage.ports.app_events import EventRecord


class InMemoryAppEvents:
    """`AppEvents` over a dict."""

    def __init__(self) -> None:
        self.records: dict[str, EventRecord] = {}
        self.waits: dict[str, dict[str, int]] = {}
        self.kept: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.lists: dict[str, tuple[str, ...]] = {}

    async def add(self, event_id: str, event: str, handlers: tuple[str, ...] = ()) -> EventRecord:
        """Keep an event, and these of its handlers."""
        known = self.records.get(event_id, EventRecord(event))
        new = not self.records.get(event_id, EventRecord("")).event
        known = known if known.event else replace(known, event=event)
        self.records[event_id] = replace(known, handlers=tuple(sorted({*known.handlers, *handlers})))
        return replace(self.records[event_id], new=new)

    async def note(self, event_id: str, name: str, text: str) -> str:
        """Keep a note."""
        known = self.records.get(event_id, EventRecord(""))
        self.records[event_id] = replace(known, notes={name: text, **known.notes})
        return self.records[event_id].notes[name]

    async def find(self, event_id: str) -> EventRecord | None:
        """Return the record of an event."""
        found = self.records.get(event_id)
        return found if found and found.event else None

    async def wait(self, name: str, call_id: str, until_ms: int, now_ms: int) -> str:
        """Note that a call waits."""
        del now_ms
        self.waits.setdefault(name, {})[call_id] = until_ms
        return self.kept.get(name, "")

    async def keep(self, name: str, data: str) -> None:
        """Keep an event's data; in memory it is kept for good."""
        self.kept.setdefault(name, data)

    async def waiting(self, name: str, now_ms: int, limit: int) -> tuple[str, ...]:
        """Return the calls that wait."""
        found = sorted((until_ms, call) for call, until_ms in self.waits.get(name, {}).items() if until_ms >= now_ms)
        return tuple(call for _, call in found[:limit])

    async def count_waiting(self, name: str, now_ms: int) -> int:
        """Return how many calls wait."""
        return len(await self.waiting(name, now_ms, len(self.waits.get(name, {}))))

    async def met(self, name: str, call_ids: Sequence[str]) -> None:
        """Note that these wait no more."""
        for call_id in call_ids:
            self.waits.get(name, {}).pop(call_id, None)

    async def append(self, name: str, entries: Sequence[str]) -> tuple[str, ...]:
        """Add to the end of a list; in memory it is kept for good."""
        self.lists[name] = (*self.lists.get(name, ()), *entries)
        return self.lists[name]

    async def newest(self, name: str, number: int = 0) -> int:
        """Return the highest number that is noted."""
        self.numbers[name] = max(number, self.numbers.get(name, 0))
        return self.numbers[name]
