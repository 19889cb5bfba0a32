"""The admission as operators see it, on Upstash Redis: the same hash tag as the book's, and the same rules."""

import json
from functools import cache

from events.adapters import keys
from events.adapters.redis import RedisConnection, script
from events.core.admission import Entry
from events.core.ends import AgentFigures, MonthUsed
from events.core.records import load_entry, load_figures
from events.ports import AdmissionState, Started, Told

_text = cache(script)


class RedisOperating:
    """`Operating` over one connection, with so many slots."""

    def __init__(self, connection: RedisConnection, slots: int, sweep_interval_ms: int) -> None:
        self._redis = connection
        self._slots = slots
        self._sweep_interval_ms = sweep_interval_ms

    async def stop(self, now_ms: int) -> None:
        """Admit nobody any more; since when stays what it was."""
        await self._redis.execute("SET", keys.ADMISSION_STOPPED, now_ms, "NX")

    async def start(self, now_ms: int) -> Started:
        """Admit jobs again."""
        sweep_at_ms, flat = await self._redis.run(
            _text("start", "book"),
            [keys.ADMISSION_BOOK, keys.ADMISSION_SWEEP, keys.ADMISSION_STOPPED],
            [now_ms, self._sweep_interval_ms, self._slots],
        )
        triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        return Started(int(sweep_at_ms), tuple(Told(name, int(lap), session_id) for name, lap, session_id in triples))

    async def state(self) -> AdmissionState:
        """How it stands."""
        book, (stopped, swept) = await self._redis.pipeline(
            ["HGETALL", keys.ADMISSION_BOOK], ["MGET", keys.ADMISSION_STOPPED, keys.ADMISSION_SWEPT]
        )
        entries = [load_entry(text) for text in book.values()]
        return AdmissionState(
            slots=self._slots,
            active=sum(entry.slot for entry in entries),
            pending=sum(entry.want == "slot" and not entry.slot for entry in entries),
            stopped_ms=int(stopped or 0),
            swept_ms=int(swept or 0),
        )

    async def live(self) -> dict[str, Entry]:
        """The entries of all jobs that are not gone."""
        book = await self._redis.execute("HGETALL", keys.ADMISSION_BOOK)
        return {name: load_entry(text) for name, text in book.items()}

    async def ends(self) -> dict[str, AgentFigures]:
        """What ended jobs add up to."""
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_ENDS)
        return {agent: load_figures(text) for agent, text in stored.items()}

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used."""
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_USED)
        months = (MonthUsed(name[:7], name[8:], json.loads(text)) for name, text in stored.items())
        return tuple(sorted(months, key=lambda each: (each.month, each.tenant)))
