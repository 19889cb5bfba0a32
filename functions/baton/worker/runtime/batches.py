"""Batches: the app events that one job of a handler takes together.

Invariant: an event is in one batch of a handler, however often it joins. A batch is a list that only grows. Its first
distinct events are its members, up to its size, its limit of bytes, or its end. So entries behind that change nothing.
Must not: start a job.

Source: decisions/0021-app-events.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from baton.store.records.app_events import ERASED
from baton.store.redis.app_events import AppEvents
from baton_events.app_event import DATA_LIMIT_BYTES, AppEvent, parse_app_event
from baton_events.errors import StoreError
from baton_events.ids import batch_id, batch_lane
from baton_events.schema import encode_event

_END = "end"


class Batch(Struct, frozen=True):
    """The ids of a batch's events, in the order of their arrival; `closed`: no more will join."""

    members: tuple[str, ...]
    closed: bool


def batch_of(entries: Sequence[str]) -> Batch:
    """Read a batch; its size is the one that its first event brought, so a deploy changes no open batch."""
    members = dict[str, None]()
    size = size_bytes = 0
    for entry in entries:
        if entry == _END:
            return Batch(tuple(members), closed=True)
        allowed, weight, event_id = entry.split(":")
        if event_id in members:
            continue
        size, size_bytes = size or int(allowed), size_bytes + int(weight)
        if members and size_bytes > DATA_LIMIT_BYTES:
            return Batch(tuple(members), closed=True)
        members[event_id] = None
        if len(members) >= size:
            return Batch(tuple(members), closed=True)
    return Batch(tuple(members), closed=False)


def note_of_batch(handler: str) -> str:
    """Return the name of an event's note with the number of the first batch that it has tried to join."""
    return f"batch:{handler}"


class Batches:
    """Batches of all tenants and handlers; each method raises StoreError, and may be repeated."""

    def __init__(self, records: AppEvents) -> None:
        self._records = records

    async def join(self, event: AppEvent, handler: str, size: int, *, closes: bool) -> Batch:
        """Return the batch that an event is in; with `closes`, nothing joins it any more."""
        lane = batch_lane(event.tenant, handler)
        newest = await self._records.newest(lane)
        first = int(await self._records.note(event.id, note_of_batch(handler), str(newest)))
        entry = f"{size}:{len(encode_event(event).encode())}:{event.id}"
        number, batch = await self._find(event.id, lane, first, (entry, _END) if closes else (entry,))
        if batch.closed:
            await self._records.newest(lane, number + 1)
        return batch

    async def id_of(self, event: AppEvent, handler: str, first: int) -> str:
        """Return the id of the closed batch that an event is in, empty: none; `first`: the number in its note."""
        _, batch = await self._find(event.id, batch_lane(event.tenant, handler), first, ())
        return batch_id(handler, batch.members) if batch.closed else ""

    async def event_of(self, handler: str, batch: Batch) -> AppEvent:
        """Return a closed batch as one app event, whose data is the list of its events."""
        records = await asyncio.gather(*map(self._records.find, batch.members))
        if missing := [name for name, record in zip(batch.members, records, strict=True) if record is None]:
            raise StoreError(f"events {missing} of a batch are not recorded (any more)")
        events = [parse_app_event(record.event.encode()) for record in records if record]
        erased = {event.id for event, record in zip(events, records, strict=True) if record and ERASED in record.notes}
        subjects = {event.subject for event in events}
        return AppEvent(
            subject=subjects.pop() if len(subjects) == 1 else None,  # of several people: found by its events
            id=batch_id(handler, batch.members),
            name=events[0].name,
            tenant=events[0].tenant,
            data=[event.for_handler() for event in events if event.id not in erased],
            created_at=max(event.created_at for event in events),
        )

    async def _find(self, event_id: str, lane: str, number: int, entries: Sequence[str]) -> tuple[int, Batch]:
        """Continue from one batch to the next, until one has the event, or is still open."""
        while True:
            batch = batch_of(await self._records.append(f"{lane}:{number}", entries))
            if event_id in batch.members or not batch.closed:
                return number, batch
            number += 1
