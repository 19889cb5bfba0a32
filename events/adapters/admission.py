"""The admission's book on Upstash Redis, in a hash tag of its own; the rules are in lua/wish.lua."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from events.adapters import keys
from events.adapters.redis import RedisConnection, script
from events.core.admission import ASKED_EVERY_MS, TOMBSTONE_MS, Entry, Place, Standing
from events.core.ends import End
from events.core.records import dump_end, load_entry
from events.ports import Heard, SweepTurn, Told

_text = cache(script)


class RedisAdmission:
    """`Admission` over one connection, with so many slots."""

    def __init__(self, connection: RedisConnection, slots: int, sweep_interval_ms: int) -> None:
        self._redis = connection
        self._slots = slots
        self._sweep_interval_ms = sweep_interval_ms

    async def wish(
        self,
        job_id: str,
        standing: Standing,
        place: Place,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
    ) -> Heard:
        """Take a job's word."""
        slot, tell, sweep_at_ms, later_lap, busy = await self._redis.run(
            _text("wish", "book"),
            [
                keys.ADMISSION_BOOK,
                keys.ADMISSION_SWEEP,
                keys.ADMISSION_GONE,
                keys.ADMISSION_STOPPED,
                keys.ADMISSION_ENDS,
                keys.ADMISSION_USED,
            ],
            [
                job_id,
                standing.lap,
                standing.want,
                place.tenant,
                place.session_id,
                place.priority,
                place.created_ms,
                now_ms,
                self._slots,
                self._sweep_interval_ms,
                place.agent,
                int(alone),
                dump_end(end) if end else "",
            ],
        )
        return Heard(bool(slot), _told(tell), int(sweep_at_ms), int(later_lap), bool(busy))

    async def sweep(self, due_ms: int, now_ms: int, *, again: bool = False) -> SweepTurn:
        """A sweep begins."""
        next_ms, tell, flat = await self._redis.run(
            _text("sweep", "book"),
            [
                keys.ADMISSION_BOOK,
                keys.ADMISSION_SWEEP,
                keys.ADMISSION_GONE,
                keys.ADMISSION_STOPPED,
                keys.ADMISSION_SWEPT,
            ],
            [due_ms, now_ms, self._sweep_interval_ms, self._slots, "" if again else TOMBSTONE_MS],
        )
        book = {name: load_entry(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}
        return SweepTurn(int(next_ms), book, _told(tell))

    async def book(self) -> dict[str, Entry]:
        """All entries, by job id."""
        # The SDK makes a dict of each flat reply.
        live, gone = await self._redis.pipeline(["HGETALL", keys.ADMISSION_BOOK], ["HGETALL", keys.ADMISSION_GONE])
        return {name: load_entry(text) for name, text in {**gone, **live}.items()}

    async def entry(self, job_id: str) -> Entry | None:
        """A job's entry."""
        live, gone = await self._redis.pipeline(
            ["HGET", keys.ADMISSION_BOOK, job_id], ["HGET", keys.ADMISSION_GONE, job_id]
        )
        text = live or gone
        return load_entry(text) if text else None

    async def may_ask_for_sweep(self, now_ms: int) -> bool:
        """Whether a sweep may be asked for now; by the store's clock, since the callers' may be wrong."""
        asked = await self._redis.execute("SET", keys.ADMISSION_ASKED, now_ms, "NX", "PX", ASKED_EVERY_MS)
        return asked is not None and asked is not False

    async def leave(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take ended jobs off the book, unless they have said something since."""
        if ended:
            args = [value for pair in ended for value in pair]
            await self._redis.run(_text("leave", "book"), [keys.ADMISSION_BOOK, keys.ADMISSION_GONE], args)


def _told(flat: Sequence[Any]) -> tuple[Told, ...]:
    triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return tuple(Told(name, int(lap), session_id) for name, lap, session_id in triples)
