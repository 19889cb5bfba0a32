"""Sums on Upstash Redis: the deployment's counters, tool statistics, stored bytes, kept events, and ended jobs.

An invocation's last COMMIT adds to counters in commands that travel with its script, in the same request; uses of tools
that are held when a job ends go with its end. Stored bytes have the admission's hash tag, so that an end and its bytes
are counted by one script. Only one call of the API that meets the quota reads jobs. An ended job is a line beside the
slots until a reader adds it to the sums; it is written with the update that reports the end, so it is counted once.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from baton.engine.all_jobs.days import (
    AGENT,
    DayUsed,
    VersionSeen,
    day_of,
    days_after,
    load_day,
    load_versions,
    newest_first,
    over,
)
from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed, late_end, with_end, with_used
from baton.engine.all_jobs.tool_use import ToolCounters, counters
from baton.engine.commit.codec import load_counters
from baton.engine.commit.patch import Patch
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.effects import Changes
from baton.engine.state import Job
from baton.sdk.records.limits import Used
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.transport.redis_rest import Command
from baton_events.errors import StoreError, StoreFullError
from baton_events.ids import canonical_json

_log = logging.getLogger("baton.store")
_SCRIPT_COMMANDS = 3  # the script, what it reads, what it writes
Counts = Mapping[tuple[str, str], int]  # a hash and its field: how much is added


def adding(counts: Sequence[Counts]) -> list[Command]:
    if not counts:
        return []
    sums = Counter[tuple[str, str]]()
    for each in counts:
        sums.update(each)
    return [["HINCRBY", key, name, much] for (key, name), much in sums.items()]


def of_deployment(counts: Mapping[str, int]) -> Counts:
    """Return what is added to the deployment's counters."""
    return {(keys.COUNTERS, name): much for name, much in counts.items()}


def counting(changes: Changes) -> Counts:
    counts = of_deployment(changes.counts) if changes.counts else {}
    return {**counts, (keys.TOOL_USE, changes.used.count): 1} if changes.used else counts


class Counters:
    """Sums for people and monitoring; no code decides by them.

    The counts of a COMMIT (`Changes.counts`) are in them once its invocation has ended. A repeated request may count
    twice, a process that dies may count nothing, and a failover of the store may lose the last 20 s of them.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add to the sums, by name; many in a script, which reads and writes all of them at once."""
        if len(counts) > _SCRIPT_COMMANDS:
            patch, texts = Patch(0), [text for name in counts for text in (name, "0")]
            patch.equal(keys.COUNTERS, {}, list(counts))
            sums = [(name, 2 * number + 1, "", much) for number, (name, much) in enumerate(counts.items())]
            patch.write("HSET", keys.COUNTERS, texts, sums)
            await self._redis.written(patch)
        elif counts:
            await self._redis.pipeline(*adding([of_deployment(counts)]))

    async def sums(self) -> dict[str, int]:
        (sums,) = await self._redis.pipeline(["HGETALL", keys.COUNTERS])
        return {name: int(much) for name, much in sums.items()}


async def count(counters: Counters, counts: Mapping[str, int]) -> None:
    """Add to the sums; a store that does not answer is only logged: nothing depends on them."""
    try:
        await counters.add(counts)
    except StoreError as error:
        _log.warning("not counted: %s: %s", ", ".join(counts), error)


class ToolStatistics:
    """Counters for people. A repeated COMMIT may count twice, one that is lost with its process not at all."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Return the counters of every tool that was ever used, by name."""
        await EndedSums(self._redis).add_all()
        (counts,) = await self._redis.pipeline(["HGETALL", keys.TOOL_USE])
        return counters({name: int(count) for name, count in counts.items()})


class StoredBytes:
    """The sums of each tenant, beside the admission, which adds to them what a submission and an end report.

    A repeated `add` counts twice; nothing else of a job depends on these sums.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def sums(self, tenant: str) -> dict[int, int]:
        """Return expiry (ms) → bytes; also times that are over, and sums below zero."""
        found = await self._redis.execute("HGETALL", keys.stored_bytes_key(tenant))
        return {int(until_ms): int(size) for until_ms, size in (found or {}).items()}

    async def add(self, tenant: str, more: BytesAdded) -> None:
        key, patch = keys.stored_bytes_key(tenant), Patch(0)
        for until_ms, size in more.adds.items():
            patch.write("HINCRBY", key, [str(until_ms), str(size)])
        if more.adds:
            patch.write("PEXPIRE", key, [str(more.kept_ms)])
            await self._redis.written(patch)

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Remove sums whose time is over."""
        if fields := [str(each) for each in until_ms]:
            await self._redis.execute("HDEL", keys.stored_bytes_key(tenant), *fields)


class KeptSchedules:
    """The schedules of each tenant, which the queue keeps among those of all: how many there are, and their bytes.

    Whoever makes one enters it first, so several at once are no more than one after the other. A tick enters its own
    again, should a failover have forgotten it.
    """

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis, self._retention_ms = connection, retention_ms

    async def started(self, schedule_id: str, job_id: str, at_ms: int) -> None:
        """Note a job of a schedule, whatever has started it; the last three are kept."""
        key = keys.scheduled_jobs_key(schedule_id)
        noted: list[Command] = [["ZADD", key, "NX", at_ms, job_id], ["ZREMRANGEBYRANK", key, 0, -4]]
        await self._redis.pipeline(*noted, ["PEXPIRE", key, self._retention_ms])

    async def last_jobs(self, schedule_ids: Iterable[str]) -> list[list[str]]:
        """Return the last jobs of each schedule, the newest first."""
        read: list[Command] = [["ZRANGE", keys.scheduled_jobs_key(name), 0, -1, "REV"] for name in schedule_ids]
        return await self._redis.pipeline(*read)

    async def of(self, tenant: str) -> list[str]:
        """Return the schedules of a tenant; the queue may not have one of them (yet)."""
        return sorted(await self._redis.execute("HKEYS", keys.schedules_key(tenant)) or ())

    async def put(self, tenant: str, schedule_id: str, size_bytes: int) -> tuple[int | None, list[int]]:
        """Enter a schedule; return its bytes before, None if it is new, and those of each one that is there now."""
        key = keys.schedules_key(tenant)
        before, _, sizes = await self._redis.pipeline(
            ["HGET", key, schedule_id], ["HSET", key, schedule_id, size_bytes], ["HVALS", key]
        )
        return None if before is None else int(before), [int(size) for size in sizes]

    async def seen(self, tenant: str, schedule_id: str, size_bytes: int) -> None:
        """Enter a schedule that is there, unless it is entered."""
        await self._redis.execute("HSETNX", keys.schedules_key(tenant), schedule_id, size_bytes)

    async def take_out(self, tenant: str, schedule_id: str) -> None:
        await self._redis.execute("HDEL", keys.schedules_key(tenant), schedule_id)


TOTAL = "*"  # no job has this name
_NOBODY = "-"  # nor this one: HDEL takes one name at least
# The number of jobs to check when a tenant has reached its quota: each gives back one event at least that was taken.
JOBS_READ = 200


class KeptEvents:
    """A count for each tenant, beside the jobs: no step of a job reads it, and a count that is off harms no job.

    `recount` corrects it: it notices events that a job has taken, or lost with its data. The count expires when nothing
    was added for as long as ended jobs are kept.
    """

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis, self._retention_ms = connection, retention_ms

    async def count(self, tenant: str) -> int:
        """Return how many are counted; more than there are, where some were taken since."""
        return int(await self._redis.execute("HGET", keys.kept_events_key(tenant), TOTAL) or 0)

    async def add(self, tenant: str, job_id: str) -> None:
        key = keys.kept_events_key(tenant)
        counted: list[Command] = [["HINCRBY", key, job_id, 1], ["HINCRBY", key, TOTAL, 1]]
        await self._redis.pipeline(*counted, ["PEXPIRE", key, self._retention_ms])

    async def recount(self, tenant: str) -> int:
        """Check some of the jobs, and give back events that they keep no more. Return the new count."""
        key = keys.kept_events_key(tenant)
        found: dict[str, str] = await self._redis.execute("HRANDFIELD", key, JOBS_READ, "WITHVALUES")
        counted = {name: int(count) for name, count in found.items() if name != TOTAL}
        if not counted:
            return await self.count(tenant)
        fields = await self._redis.pipeline(*(["HKEYS", keys.state_key(job_id)] for job_id in counted))
        found_of = zip((f"event:{job_id}:" for job_id in counted), counted, fields, strict=True)
        kept = {job_id: sum(one.startswith(start) for one in names or []) for start, job_id, names in found_of}
        gone = [job_id for job_id in counted if not kept[job_id]]
        fewer = {job_id: kept[job_id] - was for job_id, was in counted.items() if kept[job_id] and kept[job_id] != was}
        now = sum(kept.values())
        all_seen = len(found) < JOBS_READ  # then the total is known exactly
        corrected: list[Command] = [("HINCRBY", key, job_id, by) for job_id, by in fewer.items()]
        *_, total = await self._redis.pipeline(
            ["HDEL", key, *gone, _NOBODY],
            *corrected,
            ["HSET", key, TOTAL, now] if all_seen else ["HINCRBY", key, TOTAL, now - sum(counted.values())],
        )
        return now if all_seen else int(total)


_PIECE = 500


class EndedJob(Struct, omit_defaults=True):
    """A line: an end that is in no sum yet. `tools`: uses of tools that go with it."""

    agent: str
    tenant: str
    end: End
    tools: dict[str, int] = {}


_encode = Encoder().encode
load_line = Decoder(EndedJob).decode
# The names of the lines, the oldest end first.
_LINES = ["ZRANGE", keys.SLOT_ORDER, f"[{keys.SLOT_ENDS}", f"({chr(ord(keys.SLOT_ENDS) + 1)}", "BYLEX", "LIMIT", "0"]
_SUMS = (keys.ADMISSION_ENDS, keys.ADMISSION_USED, keys.ADMISSION_DAYS)


def line_of(agent: str, tenant: str, end: End, held: list[Counts]) -> str:
    """Return an end's line; the uses of tools are taken out of what is held."""
    tools, rest = dict[str, int](), list[Counts]()
    for counts in held:
        for (key, name), much in counts.items():
            if key == keys.TOOL_USE:
                tools[name] = tools.get(name, 0) + much
            else:
                rest.append({(key, name): much})
    held[:] = rest
    return _encode(EndedJob(agent, tenant, end, tools)).decode()


def uses_of(line: str) -> list[Counts]:
    """Return the uses of tools that a line has: where it is not kept, they are held again."""
    return [{(keys.TOOL_USE, name): much} for name, much in load_line(line).tools.items()]


class EndedSums:
    """The sums of ended jobs over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def add_late(self, job: Job, spent: Used, now_ms: int) -> None:
        """Keep a line of what an answer has used that came after the end of its job."""
        name = f"{now_ms:015d}\0{job.id}\0late"
        line = _encode(EndedJob(job.agent, job.tenant, late_end(job, spent, now_ms))).decode()
        patch = Patch(0)
        patch.write("HSET", keys.SLOTS, [f"{keys.SLOT_END}{name}", line])
        patch.write("ZADD", keys.SLOT_ORDER, ["0", f"{keys.SLOT_ENDS}{name}"])
        await self._redis.written(patch)

    async def ends(self) -> dict[str, AgentCounters]:
        await self.add_all()
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_ENDS)
        return {agent: load_counters(text) for agent, text in stored.items()}

    async def used(self) -> tuple[MonthUsed, ...]:
        """Return the usage of the jobs of each month and tenant."""
        await self.add_all()
        stored = await self._redis.execute("HGETALL", keys.ADMISSION_USED)
        months = (MonthUsed(name[:7], name[8:], json.loads(text)) for name, text in stored.items())
        return tuple(sorted(months, key=lambda each: (each.month, each.tenant)))

    async def days(self, names: Sequence[str]) -> tuple[DayUsed, ...]:
        """Return the usage of the jobs of these days."""
        await self.add_all()
        texts = await self._redis.execute("HMGET", keys.ADMISSION_DAYS, *names) if names else ()
        found = ((day, load_day(text)) for day, text in zip(names, texts, strict=True) if text)
        return tuple(DayUsed(day, *series, used) for day, sums in found for series, used in sums.items())

    async def versions(self, agent: str) -> tuple[VersionSeen, ...]:
        await self.add_all()
        text = await self._redis.execute("HGET", keys.ADMISSION_DAYS, f"{AGENT}{agent}")
        return newest_first(load_versions(text))

    async def add_all(self) -> None:
        """Add all lines to the sums; while the store's memory is full, they stay as they are."""
        with suppress(StoreFullError):
            while names := await self._redis.execute(*_LINES, _PIECE):
                await self._add(names)

    async def _add(self, names: list[str]) -> None:
        """Add the lines of these names, unless another process does so now: then they have changed."""
        stored = [keys.SLOT_END + name[1:] for name in names]
        lines = await self._redis.execute("HMGET", keys.SLOTS, *stored)
        if not all(lines):
            return
        jobs = [load_line(line) for line in lines]
        agents, days = {job.agent for job in jobs}, {day_of(job.end.ended_ms) for job in jobs}
        fields = (
            sorted(agents),
            sorted({_month(job) for job in jobs}),
            sorted({AGENT + name for name in agents} | days),
        )
        reads = (["HMGET", key, *names] for key, names in zip(_SUMS, fields, strict=True))
        first, *found = await self._redis.read([*_LINES, len(names)], *reads)
        if first != names:
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
            days_after(before[2], [(job.agent, job.tenant, job.end) for job in jobs]),
        )
        patch = Patch(0)
        for key, was, now in zip(_SUMS, before, after, strict=True):
            patch.equal(key, {name: text or None for name, text in was.items()})
            if now:
                patch.write("HSET", key, [text for pair in now.items() for text in pair])
        for name, much in sum((Counter(job.tools) for job in jobs), Counter[str]()).items():
            patch.write("HINCRBY", keys.TOOL_USE, [name, str(much)])
        patch.write("HDEL", keys.SLOTS, stored)
        patch.write("ZREM", keys.SLOT_ORDER, names)
        if new := [day for day in days if not before[2][day]]:
            kept = await self._redis.execute("HKEYS", keys.ADMISSION_DAYS)
            if old := over((name for name in kept if not name.startswith(AGENT)), max(new)):
                patch.write("HDEL", keys.ADMISSION_DAYS, old)
        await self._redis.written(patch)


def _month(job: EndedJob) -> str:
    return f"{job.end.month} {job.tenant}"
