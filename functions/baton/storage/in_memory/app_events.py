"""Records of app events in memory."""

from msgspec.structs import replace

from baton.storage.ports.app_events import EventRecord


class InMemoryAppEvents:
    """`AppEvents` over a dict."""

    def __init__(self) -> None:
        self.records: dict[str, EventRecord] = {}

    async def add(self, event_id: str, event: str, handlers: tuple[str, ...] = ()) -> EventRecord:
        """Keep an event, and these of its handlers."""
        known = self.records.get(event_id, EventRecord(event))
        known = known if known.event else replace(known, event=event)
        self.records[event_id] = replace(known, handlers=tuple(sorted({*known.handlers, *handlers})))
        return self.records[event_id]

    async def note(self, event_id: str, name: str, text: str) -> str:
        """Keep a note."""
        known = self.records.get(event_id, EventRecord(""))
        self.records[event_id] = replace(known, notes={name: text, **known.notes})
        return self.records[event_id].notes[name]

    async def find(self, event_id: str) -> EventRecord | None:
        """Return what is kept of an event."""
        found = self.records.get(event_id)
        return found if found and found.event else None
