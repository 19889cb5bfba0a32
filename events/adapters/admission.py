"""The admission's book on Upstash Redis, in a hash tag of its own; the rules are in lua/wish.lua."""

from collections.abc import Sequence
from functools import cache

from events.adapters import keys
from events.adapters.redis import RedisConnection, script
from events.core.admission import Entry, Place, Standing
from events.core.records import load_entry
from events.ports import Heard, SweepTurn, Told

_text = cache(script)


class RedisAdmission:
    """`Admission` over one connection, with so many slots."""

    def __init__(self, connection: RedisConnection, slots: int, sweep_interval_ms: int) -> None:
        self._redis = connection
        self._slots = slots
        self._sweep_interval_ms = sweep_interval_ms

    async def wish(self, job_id: str, standing: Standing, place: Place, now_ms: int) -> Heard:
        """Take a job's word."""
        slot, tell, sweep_at_ms = await self._redis.run(
            _text("wish", prelude=False),
            [keys.ADMISSION_BOOK, keys.ADMISSION_SWEEP],
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
            ],
        )
        told = zip(tell[::3], tell[1::3], tell[2::3], strict=True)
        return Heard(bool(slot), tuple(Told(name, int(lap), session) for name, lap, session in told), int(sweep_at_ms))

    async def sweep(self, due_ms: int, now_ms: int) -> SweepTurn:
        """A sweep begins."""
        next_ms, flat = await self._redis.run(
            _text("rearm", prelude=False),
            [keys.ADMISSION_BOOK, keys.ADMISSION_SWEEP],
            [due_ms, now_ms, self._sweep_interval_ms],
        )
        book = {name: load_entry(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}
        return SweepTurn(int(next_ms), book)

    async def book(self) -> dict[str, Entry]:
        """All entries, by job id."""
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_BOOK)  # the SDK makes a dict of the flat reply
        return {name: load_entry(text) for name, text in stored.items()}

    async def leave(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take ended jobs off the book."""
        if ended:
            args = [value for pair in ended for value in pair]
            await self._redis.run(_text("leave", prelude=False), [keys.ADMISSION_BOOK], args)
