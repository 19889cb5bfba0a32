"""The admission's scripts, each with all of its keys; the rules are in lua/slots.lua and lua/wish.lua."""

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any

from baton.adapters import keys
from baton.adapters.redis import RedisConnection, script
from baton.core.admission import TOMBSTONE_MS, Entry
from baton.core.records import load_entry
from baton.ports import Told

_text = cache(script)
# So many entries are read in one request: no answer comes near what the store may answer at once.
PIECE = 1_000


class AdmissionScripts:
    """The admission's scripts over one connection, with so many slots.

    `store_clock`: sweeps are armed by the store's clock, since a caller's may be wrong; else by the caller's.
    """

    def __init__(
        self, connection: RedisConnection, slots: int, sweep_interval_ms: int, *, store_clock: bool = True
    ) -> None:
        self.redis = connection
        self.slots = slots
        self._interval_ms = sweep_interval_ms
        self._clock = "store" if store_clock else "caller"

    async def run(self, name: str, now_ms: int, args: Sequence[str | int] = (), more_keys: Sequence[str] = ()) -> Any:
        """Run one of them."""
        common = (now_ms, self.slots, self._interval_ms, TOMBSTONE_MS, self._clock)
        return await self.redis.run(_text(name, "slots", "adopting"), [*keys.ADMISSION, *more_keys], [*common, *args])

    async def entries(self) -> dict[str, Entry]:
        """All entries, by job id, in pieces; one that comes or goes meanwhile may be among them or not."""
        before = [key for key in keys.ADMISSION_BEFORE if await self.redis.execute("EXISTS", key)]
        found: dict[str, Entry] = {}
        for key in (*before, keys.ADMISSION_JOBS):
            async for name, text in self._fields(key):
                found[name] = load_entry(text)
        return found

    async def _fields(self, key: str) -> AsyncIterator[tuple[str, str]]:
        cursor = "0"
        while True:
            # The SDK makes a dict of some flat replies.
            cursor, flat = await self.redis.execute("HSCAN", key, cursor, "COUNT", PIECE)
            for pair in flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True):
                yield pair
            if str(cursor) == "0":
                return


def told_of(flat: Sequence[Any]) -> tuple[Told, ...]:
    """Whom to tell, as scripts answer it."""
    triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return tuple(Told(name, int(epoch), session_id) for name, epoch, session_id in triples)
