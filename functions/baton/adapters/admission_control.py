"""The admission as operators see it, on Redis: the same semaphore."""

from baton.adapters import keys
from baton.adapters.ended_sums import EndedSums
from baton.adapters.redis import RedisConnection
from baton.adapters.semaphore import Semaphore, queue_of
from baton.adapters.takeover import OpenSemaphore
from baton.core.admission import SWEEP, Entry
from baton.core.ends import AgentCounters, MonthUsed
from baton.ports import AdmissionState, Started


class RedisAdmissionControl:
    """`AdmissionControl` over one connection, with so many slots."""

    def __init__(
        self, connection: RedisConnection, slots: int, sweep_interval_ms: int, *, store_clock: bool = True
    ) -> None:
        self._redis = connection
        self._semaphore = Semaphore(connection, slots, sweep_interval_ms, store_clock=store_clock)
        self._open = OpenSemaphore(self._semaphore)
        self._sums = EndedSums(connection)

    async def stop(self, now_ms: int) -> None:
        """Admit nobody any more; since when stays what it was."""
        if not (await self.state()).stopped_ms:
            await self._redis.execute("HSET", keys.SLOTS, "closed", now_ms)

    async def start(self, now_ms: int) -> Started:
        """Admit jobs again."""
        await self._open.ready()
        await self._redis.execute("HSET", keys.SLOTS, "closed", 0)
        answer = await self._open.run(now_ms, {}, {"fill": SWEEP, "everybody": True})
        return Started(answer.alarm_ms, answer.untaken)

    async def state(self) -> AdmissionState:
        """How it stands; counted by each update, so it costs the same however many jobs there are."""
        await self._open.ready()
        counted = await self._redis.execute("HMGET", keys.SLOTS, "holders", "asking", "closed", "swept")
        active, pending, stopped_ms, swept_ms = (int(value or 0) for value in counted)
        return AdmissionState(self._semaphore.slots, active, pending, stopped_ms, swept_ms)

    async def live(self) -> dict[str, Entry]:
        """The entries of all jobs that are not gone."""
        await self._open.ready()
        return {name: entry for name, entry in (await self._semaphore.entries()).items() if entry.want != "gone"}

    async def line(self, tenant: str, session_id: str) -> dict[str, Entry]:
        """The entries of a session's jobs at work or in line."""
        await self._open.ready()
        queue = queue_of(tenant, session_id)
        members = await self._redis.execute("ZRANGE", keys.SLOT_QUEUES, f"[{queue}", f"({queue}2", "BYLEX")
        return await self._semaphore.entries_of([member.rpartition("\0")[2] for member in members])

    async def ends(self) -> dict[str, AgentCounters]:
        """What ended jobs add up to."""
        return await self._sums.ends()

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used."""
        return await self._sums.used()
