"""The admission on Redis: for jobs and for operators, over the semaphore, and the pages of a sweep."""

from collections.abc import Sequence

from msgspec.json import Decoder, Encoder

from baton.engine.all_jobs.days import DayUsed, VersionSeen
from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed
from baton.engine.all_jobs.slots import (
    ALL,
    BY_SWEEP,
    FIRST_VALUE_KEPT_MS,
    GONE,
    HOLDERS,
    MINUTE_MS,
    REQUESTED_EVERY_MS,
    SAMPLES,
    SWEEP_PAGE,
    TOMBSTONE_MS,
    QueueEntry,
    Sample,
    page_mark,
    recent_samples,
    some,
)
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.state import Job
from baton.sdk.records.limits import Used
from baton.store.records.all_jobs import AdmissionState, SlotAnswer, SlotGranted, Started, SweepTurn
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.semaphore import Dropped, Semaphore, entry_from, flow_of, member_field, member_of, queue_of
from baton.store.redis.totals import EndedSums, line_of, uses_of
from baton.store.transport.redis_rest import Command
from baton_events.ids import root_of

_NAMES, _OUT = keys.SLOT_NAMES, keys.SLOT_OUT


async def page_from(semaphore: Semaphore, mark: str, now_ms: int, size: int) -> tuple[dict[str, QueueEntry], str]:
    """Return the page at `mark`, with its jobs' trees, and the mark at its end: two requests, seldom three."""
    kind, _, last = mark.partition(":")
    index = keys.SLOT_HOLDERS if kind == HOLDERS else keys.SLOT_NAMES
    since = int(last) + 1 if kind == GONE else 0
    found, out = await semaphore.redis.pipeline(
        [*_members(index, f"({index}{last}"), "LIMIT", 0, 0 if kind == GONE else size],
        [
            *_members(_OUT, f"[{_OUT}{since:015d}", f"({_OUT}{now_ms - TOMBSTONE_MS:015d}"),
            *("LIMIT", 0, 0 if kind == ALL else size),
        ],
    )
    names, end = some([member[1:] for member in found], size, kind, str)
    if len(names) < size and kind != ALL:
        times = {name: at for at, _, name in (member[1:].partition("\0") for member in out)}
        gone, end = some(list(times), size - len(names), GONE, lambda name: str(int(times[name])))
        names += gone
    if not names:
        return {}, end
    *trees, texts = await semaphore.redis.pipeline(
        *_trees(names, whole=kind == ALL), ["HMGET", keys.SLOTS, *map(member_field, names)]
    )
    entries = {name: entry_from(text) for name, text in zip(names, texts, strict=True) if text}
    others = {member[1:] for tree in trees for member in tree}.difference(names)
    return {**entries, **await semaphore.entries_of(sorted(others))}, end


def _members(index: str, first: str, last: str = "") -> list[str]:
    return ["ZRANGE", keys.SLOT_ORDER, first, last or f"({chr(ord(index) + 1)}", "BYLEX"]


def _trees(names: list[str], *, whole: bool) -> list[Command]:
    """Return the commands that find all jobs of their trees; `whole`: no job between them is left out."""
    roots = list(dict.fromkeys(map(root_of, names)))
    ranges = [(roots[0], roots[-1])] if whole else [(root, root) for root in roots]
    return [_members(_NAMES, f"[{_NAMES}{first}", f"({_NAMES}{last}/") for first, last in ranges]


_SAMPLE = "sample:"
_encode, _decode_sample = Encoder().encode, Decoder(Sample).decode
_OWN_KEY = 3


class _OfSlots:
    """`slots`: how many there are. `of_tenant`: how many jobs of one tenant may hold one; 0: any number."""

    def __init__(
        self,
        connection: RedisConnection,
        slots: int,
        sweep_interval_ms: int,
        of_tenant: int = 0,
        *,
        store_clock: bool = True,
    ) -> None:
        self._redis = connection
        self._semaphore = Semaphore(
            connection, slots, sweep_interval_ms, store_clock=store_clock, most_of_flow=of_tenant
        )
        self._sums = EndedSums(connection)


class Admission(_OfSlots):
    """Slots, session lines, and the list of live jobs, in a hash tag of its own."""

    async def slot_request(
        self,
        job_id: str,
        entry: QueueEntry,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
        stored: BytesAdded | None = None,
        shelves: Sequence[str] = (),
    ) -> SlotAnswer:
        """Take a job's update; one with a lower request epoch than its last changes nothing. The job is listed.

        `alone`: a new job is not entered (`busy`) while another one of its session is at work or in line.
        `end`: its end, with the update that it is gone; counted once.
        `stored`: changes of its tenant's bytes, counted with the end; without one, with the job's first update.
        `shelves`: those of its rows, for the catalogue.
        """
        counted, writes = _counted(entry.tenant, stored)
        line = line_of(entry.agent, entry.tenant, end, self._redis.held) if end else ""
        optional = {"alone": alone, "writes": writes, "entered": bool(writes and not end), "ended": line}
        optional["beside"] = [f"{keys.SLOT_SHELVES}{shelf}" for shelf in shelves]
        more = {"fill": job_id, **{name: value for name, value in optional.items() if value}}
        answer = await self._semaphore.run(now_ms, {job_id: member_of(job_id, entry)}, more, more_keys=counted)
        if line and not answer.counted:
            self._redis.held += uses_of(line)
        if answer.revision < 0:
            return SlotAnswer(slot=False, busy=True)
        if answer.revision > entry.epoch:
            return SlotAnswer(slot=False, sweep_at_ms=answer.alarm_ms, later_epoch=answer.revision)
        return SlotAnswer(answer.held, answer.untaken, answer.alarm_ms)

    async def used_late(self, job: Job, spent: Used, now_ms: int) -> None:
        """Count what an answer has used that came after the end of its job."""
        await self._sums.add_late(job, spent, now_ms)

    async def sweep(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = SWEEP_PAGE
    ) -> SweepTurn:
        """Begin a sweep; `due_ms`: the time for which it was armed, 0 for the backstop. Free slots are filled.

        `again`: it began before, and may be the relay of any job's items: it goes through all jobs.
        `after`: it goes on where a page of `page` jobs ended; then no slot is given, and nothing armed.
        """
        next_ms, granted = 0, tuple[SlotGranted, ...]()
        if not after:
            more = {"fill": BY_SWEEP, "everybody": True, "due": due_ms}
            answer = await self._semaphore.run(now_ms, {}, more)
            next_ms, granted = answer.alarm_ms or (await self._armed_ms(due_ms) if again else 0), answer.untaken
            await self._sample(now_ms)
            await self._sums.add_all()
        slot_table, following = await page_from(self._semaphore, page_mark(due_ms, after, again=again), now_ms, page)
        return SweepTurn(next_ms, slot_table, granted, following)

    async def _armed_ms(self, due_ms: int) -> int:
        """Return when the next sweep is due, 0: none; the delivery that noted it may have died before its message."""
        holders, alarm = await self._redis.execute("HMGET", keys.SLOTS, "holders", "alarm")
        return int(alarm or 0) if int(holders or 0) and int(alarm or 0) > due_ms else 0

    async def _sample(self, now_ms: int) -> None:
        counted = await self._redis.execute("HMGET", keys.SLOTS, "holders", "asking", "size")
        active, pending, slots = (int(value or 0) for value in counted)
        sample = Sample(now_ms, active, pending, slots or self._semaphore.slots)
        place = f"{_SAMPLE}{now_ms // MINUTE_MS % SAMPLES}"
        await self._redis.execute("HSET", keys.SLOTS, "swept", now_ms, place, _encode(sample).decode())

    async def slot_table(self) -> dict[str, QueueEntry]:
        """Return all entries, by job id."""
        return await self._semaphore.entries()

    async def entry(self, job_id: str) -> QueueEntry | None:
        """Return a job's entry; also of one that is gone, as a failover may have made its tree forget that."""
        text = await self._redis.execute("HGET", keys.SLOTS, member_field(job_id))
        return entry_from(text) if text else None

    async def may_request_sweep(self, now_ms: int) -> bool:
        """Return whether a sweep may be requested now; by the store's clock, as the callers' may be wrong."""
        requested = await self._redis.execute("SET", keys.ADMISSION_ASKED, now_ms, "NX", "PX", REQUESTED_EVERY_MS)
        return requested is not None and requested is not False

    async def first_value(self, name: str, value: str) -> str:
        """Return the value that was given first under this name, for an hour: this one, if there was none before.

        A failover may forget the last 20 s.
        """
        key = keys.first_value_key(name)
        _, first = await self._redis.pipeline(["SET", key, value, "NX", "PX", FIRST_VALUE_KEPT_MS], ["GET", key])
        return str(first)

    async def prune(self, ended: Sequence[tuple[str, int]]) -> None:
        """Remove jobs from the slot table: (job id, `since_ms` of its entry), unless they have sent an update since."""
        for first in range(0, len(ended), SWEEP_PAGE):
            dropped = {name: Dropped(since_ms) for name, since_ms in ended[first : first + SWEEP_PAGE]}
            await self._semaphore.run(0, dropped, {})


def _counted(tenant: str, stored: BytesAdded | None) -> tuple[list[str], list[list[str | int]]]:
    """Return what changes of a tenant's bytes with a job's first update, or with its end: keys, and commands."""
    if not (stored and stored.adds):
        return [], []
    writes: list[list[str | int]] = [
        ["HINCRBY", _OWN_KEY, str(until_ms), str(size)] for until_ms, size in sorted(stored.adds.items())
    ]
    return [keys.stored_bytes_key(tenant)], [*writes, ["PEXPIRE", _OWN_KEY, str(stored.kept_ms)]]


class AdmissionControl(_OfSlots):
    """The same admission, as operators see it, with the same numbers. Stopping and starting may be repeated."""

    async def stop(self, now_ms: int) -> None:
        """Admit no job any more; repeated, it keeps the time of the first stop."""
        if not (await self.state()).stopped_ms:
            await self._redis.execute("HSET", keys.SLOTS, "closed", now_ms)

    async def start(self, now_ms: int, slots: int | None = None) -> Started:
        """Admit jobs again, and fill the free slots at once; each that got one is notified until it takes it.

        `slots`: how many there are from now on, 0: the setting; None: as many as before. Jobs that hold one beyond
        that go on.
        """
        if slots == 0:
            await self._redis.execute("HDEL", keys.SLOTS, "size")
        await self._redis.execute("HSET", keys.SLOTS, "closed", 0, *(("size", slots) if slots else ()))
        answer = await self._semaphore.run(now_ms, {}, {"fill": BY_SWEEP, "everybody": True})
        return Started(answer.alarm_ms, answer.untaken)

    async def state(self) -> AdmissionState:
        """Return the admission's state; each update counts it, so it costs the same however many jobs there are."""
        counted = await self._redis.execute("HMGET", keys.SLOTS, "holders", "asking", "closed", "swept", "size")
        active, pending, stopped_ms, swept_ms, slots = (int(value or 0) for value in counted)
        own = self._semaphore
        return AdmissionState(slots or own.slots, active, pending, stopped_ms, swept_ms, own.most_of_flow)

    async def live(self, tenant: str = "") -> dict[str, QueueEntry]:
        """Return the entries of all jobs that are not known to be gone, by job id; of a tenant, children are left out.

        Those of a tenant cost what the tenant has, whatever others have.
        """
        if tenant:
            return await self._below(flow_of(tenant))
        return {name: entry for name, entry in (await self._semaphore.entries()).items() if entry.want != "gone"}

    async def line(self, tenant: str, session_id: str) -> dict[str, QueueEntry]:
        """Return the entries of a session's jobs at work or in line, by job id; children are left out."""
        return await self._below(queue_of(tenant, session_id))

    async def _below(self, prefix: str) -> dict[str, QueueEntry]:
        place = f"{keys.SLOT_QUEUES}{prefix}"
        members = await self._redis.execute(*_members(keys.SLOT_QUEUES, f"[{place}", f"({place[:-1]}\1"))
        return await self._semaphore.entries_of([member.rpartition("\0")[2] for member in members])

    async def ends(self) -> dict[str, AgentCounters]:
        return await self._sums.ends()

    async def used(self) -> tuple[MonthUsed, ...]:
        """Return the usage of the jobs of each month and tenant, oldest first."""
        return await self._sums.used()

    async def days(self, names: Sequence[str]) -> tuple[DayUsed, ...]:
        """Return the usage of the jobs that ended on these days (`2026-11-25`), in the order of the days."""
        return await self._sums.days(names)

    async def versions(self, agent: str) -> tuple[VersionSeen, ...]:
        """Return the versions of an agent that ended jobs ran, the one that was seen last first."""
        return await self._sums.versions(agent)

    async def samples(self, now_ms: int) -> tuple[Sample, ...]:
        """Return the samples of the last hours, oldest first: noted by sweeps, so never on a job's path."""
        texts = await self._redis.execute("HMGET", keys.SLOTS, *(f"{_SAMPLE}{place}" for place in range(SAMPLES)))
        return recent_samples((_decode_sample(text) for text in texts if text), now_ms)
