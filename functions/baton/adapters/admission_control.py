"""The admission as operators see it, on Upstash Redis: the same hash tag, and the same rules."""

import json

from baton.adapters import keys
from baton.adapters.admission_scripts import AdmissionScripts, told_of
from baton.adapters.redis import RedisConnection
from baton.core.admission import Entry, line_of
from baton.core.ends import AgentCounters, MonthUsed
from baton.core.records import load_counters, load_entry
from baton.ports import AdmissionState, Started


class RedisAdmissionControl:
    """`AdmissionControl` over one connection, with so many slots."""

    def __init__(
        self, connection: RedisConnection, slots: int, sweep_interval_ms: int, *, store_clock: bool = True
    ) -> None:
        self._redis = connection
        self._scripts = AdmissionScripts(connection, slots, sweep_interval_ms, store_clock=store_clock)

    async def stop(self, now_ms: int) -> None:
        """Admit nobody any more; since when stays what it was."""
        await self._scripts.run("stop", now_ms)

    async def start(self, now_ms: int) -> Started:
        """Admit jobs again."""
        sweep_at_ms, flat = await self._scripts.run("start", now_ms)
        return Started(int(sweep_at_ms), told_of(flat))

    async def state(self) -> AdmissionState:
        """How it stands; counted by each word, so it costs the same however many jobs there are."""
        counted = await self._redis.execute("HMGET", keys.ADMISSION_FLAGS, "holders", "pending", "stopped", "swept")
        active, pending, stopped_ms, swept_ms = (int(value or 0) for value in counted)
        return AdmissionState(self._scripts.slots, active, pending, stopped_ms, swept_ms)

    async def live(self) -> dict[str, Entry]:
        """The entries of all jobs that are not gone."""
        return {name: entry for name, entry in (await self._scripts.entries()).items() if entry.want != "gone"}

    async def line(self, tenant: str, session_id: str) -> dict[str, Entry]:
        """The entries of a session's jobs at work or in line; what a version before keeps is read whole."""
        seats = "".join(f"{_escaped(text)}\0" for text in (tenant, session_id))
        read = ["ZRANGE", keys.ADMISSION_SESSIONS, f"[{seats}", f"({seats}2", "BYLEX"]
        members, before = await self._redis.pipeline(read, ["EXISTS", *keys.ADMISSION_BEFORE])
        if before:
            return line_of(await self._scripts.entries(), tenant, session_id)
        names = [member[len(seats) :].split("\0")[1] for member in members]
        texts = await self._redis.execute("HMGET", keys.ADMISSION_JOBS, *names) if names else []
        return {name: load_entry(text) for name, text in zip(names, texts, strict=True) if text}

    async def ends(self) -> dict[str, AgentCounters]:
        """What ended jobs add up to."""
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_ENDS)
        return {agent: load_counters(text) for agent, text in stored.items()}

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used."""
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_USED)
        months = (MonthUsed(name[:7], name[8:], json.loads(text)) for name, text in stored.items())
        return tuple(sorted(months, key=lambda each: (each.month, each.tenant)))


def _escaped(text: str) -> str:
    """As lua/slots.lua writes names of tenants and sessions."""
    return text.replace("\1", "\1\1").replace("\0", "\1\2")
