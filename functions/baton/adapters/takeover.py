"""The semaphore where a version before has kept the admission: entries are taken over, and its instances give no slot.

Versions before had one slot table, or indexes of their own. All entries are taken over before this version gives its
first slot. For a day after that instances of a version before may run: they read that the admission is stopped, and
what they write is taken over with each update of this one. Then all that they kept is deleted.
"""

from collections.abc import Mapping
from typing import Any

from baton.adapters import keys
from baton.adapters.semaphore import Answer, Member, Semaphore, member_of, pieces
from baton.core.admission import SWEEP
from baton.core.records import load_entry
from baton.engine.patch import Patch

BESIDE_MS = 86_400_000
# As versions before read it: stopped. No operator has ever stopped it at that time.
_BY_US = "1"


class OpenSemaphore:
    """A semaphore that takes over what there was before, until that is done."""

    def __init__(self, semaphore: Semaphore) -> None:
        self._semaphore = semaphore
        self._redis = semaphore.redis
        self._is_over = False

    async def run(self, now_ms: int, members: Mapping[str, Member], more: dict[str, Any], **rest: Any) -> Answer:
        """As `Semaphore.run`; what is taken over counts as said before."""

        async def ask() -> Answer:
            before = () if self._is_over else keys.TRACES_BEFORE
            return await self._semaphore.run(now_ms, members, more, before=before, **rest)

        answer = await ask()
        self._is_over = not answer.open
        if not answer.open or not await self._take_over(more["fill"], is_first=answer.open < 0):
            return answer
        again = await ask()
        again.alarm_ms = again.alarm_ms or answer.alarm_ms
        return again

    async def ready(self) -> None:
        """Take over what there is, before something is read."""
        if not self._is_over:
            is_open, traces = await self._redis.pipeline(["HGET", keys.SLOTS, "open"], ["EXISTS", *keys.TRACES_BEFORE])
            self._is_over = is_open == "0"
            if traces and not self._is_over:
                await self._take_over(SWEEP, is_first=is_open is None)

    async def _take_over(self, by: str, *, is_first: bool) -> bool:
        """Whether there was anything, if only that the semaphore is open now."""
        if is_first:
            await self._begin()
        beside, found = await self._redis.pipeline(["EXISTS", keys.BESIDE_BEFORE], ["EXISTS", *keys.SLOTS_BEFORE])
        if beside:
            await self._redis.pipeline(
                ["SET", keys.STOPPED_BEFORE, _BY_US, "PX", BESIDE_MS], ["HSET", keys.FLAGS_BEFORE, "stopped", _BY_US]
            )
        for key in keys.SLOTS_BEFORE if found else ():
            await self._move(key, by)
        if is_first:
            await self._redis.execute("HSETNX", keys.SLOTS, "open", 1)
        elif not beside:
            await self._redis.pipeline(["HSET", keys.SLOTS, "open", 0], ["DEL", *keys.ALL_BEFORE])
        return bool(found) or is_first

    async def _begin(self) -> None:
        """Keep whether it was stopped, and that instances may still run: again is no error."""
        stopped = await self._redis.pipeline(["GET", keys.STOPPED_BEFORE], ["HGET", keys.FLAGS_BEFORE, "stopped"])
        since = next((text for text in stopped if text and text != _BY_US), "0")
        await self._redis.pipeline(
            ["HSETNX", keys.SLOTS, "closed", since], ["SET", keys.BESIDE_BEFORE, 1, "NX", "PX", BESIDE_MS]
        )

    async def _move(self, key: str, by: str) -> None:
        """An entry that is written again meanwhile is left to the next time."""
        async for texts in pieces(self._redis, key):
            members = {name: member_of(name, load_entry(text)) for name, text in texts.items()}
            # Who holds a slot here was told there that it holds none.
            await self._semaphore.run(0, members, {"again": by})
            patch = Patch(0)
            patch.equal(key, texts)
            patch.write("HDEL", key, list(texts))
            await self._redis.written(patch)
