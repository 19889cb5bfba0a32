"""What ended jobs add up to, on Redis: each end is a line of a list until somebody adds it to the sums.

An end's line is written with the update that reports it, so it is counted once; readers and sweeps add what there is.
"""

import json

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed, with_end, with_used
from baton.engine.commit.codec import load_counters
from baton.engine.commit.patch import Patch
from baton.storage.redis import keys
from baton.storage.redis.connection import RedisConnection
from baton_events.ids import canonical_json

_PIECE = 500


class EndedJob(Struct):
    """One line."""

    agent: str
    tenant: str
    end: End


_encode = Encoder().encode
load_line = Decoder(EndedJob).decode
_SUMS = (keys.ADMISSION_ENDS, keys.ADMISSION_USED)


def line_of(agent: str, tenant: str, end: End) -> str:
    """A line of the list."""
    return _encode(EndedJob(agent, tenant, end)).decode()


class EndedSums:
    """The sums over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def ends(self) -> dict[str, AgentCounters]:
        """What ended jobs add up to, by agent."""
        await self.add_all()
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_ENDS)
        return {agent: load_counters(text) for agent, text in stored.items()}

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used."""
        await self.add_all()
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_USED)
        months = (MonthUsed(name[:7], name[8:], json.loads(text)) for name, text in stored.items())
        return tuple(sorted(months, key=lambda each: (each.month, each.tenant)))

    async def add_all(self) -> None:
        """Add all lines that there are to the sums."""
        while lines := await self._redis.execute("LRANGE", keys.ADMISSION_UNCOUNTED, 0, _PIECE - 1):
            await self._add(lines)

    async def _add(self, lines: list[str]) -> None:
        """Add these, if nobody else does so now: their sums are then others."""
        jobs = [load_line(line) for line in lines]
        fields = sorted({job.agent for job in jobs}), sorted({_month(job) for job in jobs})
        reads = (["HMGET", key, *names] for key, names in zip(_SUMS, fields, strict=True))
        first, *found = await self._redis.read(["LRANGE", keys.ADMISSION_UNCOUNTED, 0, len(lines) - 1], *reads)
        if first != lines:
            return
        before = [dict(zip(names, texts, strict=True)) for names, texts in zip(fields, found, strict=True)]
        counters = {name: load_counters(text) if text else AgentCounters() for name, text in before[0].items()}
        used = {name: json.loads(text) if text else {} for name, text in before[1].items()}
        for job in jobs:
            counters[job.agent] = with_end(counters[job.agent], job.end)
            used[_month(job)] = with_used(used[_month(job)], job.end.used)
        after = (
            {name: _encode(sums).decode() for name, sums in counters.items()},
            {name: canonical_json(sums) for name, sums in used.items()},
        )
        patch = Patch(0)
        for key, was, now in zip(_SUMS, before, after, strict=True):
            patch.equal(key, {name: text or None for name, text in was.items()})
            patch.write("HSET", key, [text for pair in now.items() for text in pair])
        patch.write("LTRIM", keys.ADMISSION_UNCOUNTED, [str(len(lines)), "-1"])
        await self._redis.written(patch)


def _month(job: EndedJob) -> str:
    return f"{job.end.month} {job.tenant}"
