"""Records of app events on Upstash Redis, and the calls that wait for them; all of it expires."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from baton.engine.commit.stored_bytes import LEAST_EVENT_MS
from baton.store.records.app_events import ERASED, MISFIT, EventRecord
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.transport.redis_rest import Command
from baton_events.errors import UnreadablePayloadError
from baton_events.sealing import PayloadContext

_EVENT, _HANDLER, _NOTE = "event", "handler:", "note:"


class _Of(Struct):
    tenant: str = ""


_TENANT = Decoder(_Of)
_MOST_OLDER = 20  # so that few events make a second request
_CLOCK_MS = 60_000  # a waiting call and a reader may have different clocks


class EventRecords:
    """Records by event id; each is kept as long as an ended job. Each method raises StoreError, and may be repeated."""

    def __init__(self, connection: RedisConnection, retention_ms: int, kept_ms: int) -> None:
        self._redis = connection
        self._retention_ms, self._kept_ms = max(retention_ms, LEAST_EVENT_MS), kept_ms

    async def add(self, event_id: str, event: str, handlers: tuple[str, ...] = (), *, subject: str = "") -> EventRecord:
        """Keep an event, and these of its handlers, for as long as it may wait for its batch at least.

        `subject`: the person whose data it has: their events are found by it.
        """
        key = keys.app_event_key(event_id)
        if self._redis.sealing.first:
            event = await self._sealed(event, _TENANT.decode(event).tenant, event_id)
        handled = [field for name in handlers for field in (_HANDLER + name, "1")]
        of_subject = keys.subject_events_key(subject)
        noted: list[Command] = [["SADD", of_subject, event_id], ["PEXPIRE", of_subject, self._retention_ms]]
        answers = await self._redis.pipeline(
            ["HSETNX", key, _EVENT, event],
            *([["HSET", key, *handled]] if handled else []),
            *(noted if subject else []),
            ["PEXPIRE", key, self._retention_ms],
            ["HGETALL", key],
            *([["GET", keys.subject_erased_key(subject)]] if subject else []),
        )
        found, erased_ms = answers[-2:] if subject else (answers[-1], 0)
        return replace(self._record(found, event_id), new=bool(answers[0]), erased_ms=int(erased_ms or 0))

    async def begin_erasure(self, subject: str, now_ms: int) -> None:
        """Note that the data of a person is erased: of events that came before, some may not have been delivered."""
        await self._redis.execute("SET", keys.subject_erased_key(subject), now_ms, "PX", self._retention_ms)

    async def of_subject(self, subject: str) -> list[str]:
        """Return the ids of the events that have data of a person."""
        return sorted(await self._redis.execute("SMEMBERS", keys.subject_events_key(subject)))

    async def erase(self, event_id: str, blank: str, name: str, data: str) -> None:
        """Replace an event by a blank one, noted as erased; also its data, if that is what is kept under `name`."""
        key, kept = keys.app_event_key(event_id), keys.app_event_kept_key(name)
        if self._is_of(await self._redis.execute("GET", kept), name, data):
            await self._redis.execute("DEL", kept)
        await self._redis.pipeline(["HDEL", key, _NOTE + MISFIT], ["HSET", key, _EVENT, blank, _NOTE + ERASED, "1"])

    def _is_of(self, kept: str | None, name: str, data: str) -> bool:
        """Return whether this is what is kept of an event; what cannot be opened may be."""
        try:
            return kept is not None and self._redis.sealing.open(kept, "text", name) == data
        except UnreadablePayloadError:
            return True

    async def note(self, event_id: str, name: str, text: str, tenant: str = "") -> str:
        """Keep a note, unless one of this name is there; return the one that is kept. `tenant`: whose text it is."""
        key, text = keys.app_event_key(event_id), await self._sealed(text, tenant, event_id)
        *_, kept = await self._redis.pipeline(
            ["HSETNX", key, _NOTE + name, text], ["PEXPIRE", key, self._retention_ms], ["HGET", key, _NOTE + name]
        )
        return self._redis.sealing.open(str(kept), "text", event_id)

    async def find(self, event_id: str, *, noted: bool = False) -> EventRecord | None:
        """Return the record of an event; None: there is none. `noted`: also one that has notes alone, as of a job."""
        (found,) = await self._redis.pipeline(["HGETALL", keys.app_event_key(event_id)])
        return self._record(found, event_id) if found and (noted or _EVENT in found) else None

    async def _sealed(self, text: str, tenant: str, belongs_to: str) -> str:
        sealing = self._redis.sealing
        if sealing.is_own:
            await sealing.ready()
        return sealing.seal(text, PayloadContext(tenant, "text", belongs_to))

    def _record(self, found: dict[str, Any], event_id: str) -> EventRecord:
        handlers = sorted(name.removeprefix(_HANDLER) for name in found if name.startswith(_HANDLER))
        texts = {
            name: self._redis.sealing.open(text, "text", event_id)
            for name, text in found.items()
            if name == _EVENT or name.startswith(_NOTE)
        }
        event = texts.pop(_EVENT, "")
        return EventRecord(event, tuple(handlers), {name.removeprefix(_NOTE): text for name, text in texts.items()})


class AppEvents(EventRecords):
    """Also the calls that wait for events, their batches and their order."""

    async def wait(self, name: str, call_id: str, until_ms: int, now_ms: int) -> str:
        """Note that a call waits for events known as `name`; return the data of the one that is kept, empty: none.

        It is noted first, so that an event that is not kept yet finds it.
        """
        waits, left_ms = keys.app_event_waits_key(name), until_ms - now_ms + _CLOCK_MS
        *_, kept = await self._redis.pipeline(
            ["ZADD", waits, until_ms, call_id],
            ["PEXPIRE", waits, left_ms, "NX"],
            ["PEXPIRE", waits, left_ms, "GT"],
            ["GET", keys.app_event_kept_key(name)],
        )
        return self._redis.sealing.open(str(kept or ""), "text", name)

    async def keep(self, name: str, data: str, tenant: str = "") -> None:
        """Keep an event's data for waits that begin later, unless one is kept. `tenant`: whose it is."""
        kept = await self._sealed(data, tenant, name)
        await self._redis.execute("SET", keys.app_event_kept_key(name), kept, "NX", "PX", self._kept_ms)

    async def waiting(self, name: str, now_ms: int, limit: int) -> tuple[str, ...]:
        """Return some of the calls that wait for events known as `name`, the first to give up first."""
        page = ("BYSCORE", "LIMIT", 0, limit)
        found = await self._redis.execute("ZRANGE", keys.app_event_waits_key(name), now_ms, "+inf", *page)
        return tuple(found or ())

    async def count_waiting(self, name: str, now_ms: int) -> int:
        """Return how many calls wait for events known as `name`."""
        return int(await self._redis.execute("ZCOUNT", keys.app_event_waits_key(name), now_ms, "+inf"))

    async def met(self, name: str, call_ids: Sequence[str]) -> None:
        """Note that these wait no more."""
        if call_ids:
            await self._redis.execute("ZREM", keys.app_event_waits_key(name), *call_ids)

    async def append(self, name: str, entries: Sequence[str]) -> tuple[str, ...]:
        """Add to the end of the list of this name, which only grows; return all of it."""
        key = keys.app_event_list_key(name)
        adding: list[Command] = [["RPUSH", key, *entries], ["PEXPIRE", key, self._retention_ms]] if entries else []
        *_, found = await self._redis.pipeline(*adding, ["LRANGE", key, 0, -1])
        return tuple(found)

    async def came(self, name: str, number: int, came_ms: int) -> None:
        """Note the number of an event known as `name`, by when it came; of older ones that came before, a few stay."""
        key = keys.app_event_came_key(name)
        *_, before = await self._redis.pipeline(
            ["ZADD", key, came_ms, str(number)],
            ["PEXPIRE", key, self._retention_ms],
            ["ZRANGE", key, "-inf", came_ms, "BYSCORE"],
        )
        older = [each for each in before if int(each) < number]  # whoever they precede, this one does, too
        if len(older) > _MOST_OLDER:
            await self._redis.execute("ZREM", key, *older)

    async def newest_since(self, name: str, since_ms: int) -> int:
        """Return the highest number of those that came since then; 0: none."""
        found = await self._redis.execute("ZRANGE", keys.app_event_came_key(name), since_ms, "+inf", "BYSCORE")
        return max(map(int, found or ()), default=0)

    async def newest(self, name: str, number: int = 0, kept_ms: int = 0) -> int:
        """Note the number of an event known as `name`, 0: none; return the highest that is noted, 0: none.

        `kept_ms`: how much longer than an ended job it is kept; a later note never shortens that.
        """
        key, left_ms = keys.app_event_newest_key(name), self._retention_ms + kept_ms
        noting: list[Command] = (
            [["ZADD", key, "GT", number, "n"], *(["PEXPIRE", key, left_ms, how] for how in ("NX", "GT"))]
            if number
            else []
        )
        *_, highest = await self._redis.pipeline(*noting, ["ZSCORE", key, "n"])
        return int(float(highest or 0))
