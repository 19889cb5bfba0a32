"""The admission in memory: the rules of engine/all_jobs/slots.py over a dict.

Rows of the lists, and sums, are kept with the slot table, so that a failover forgets all of them at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from baton.engine.all_jobs.days import (
    DaySums,
    DayUsed,
    VersionSeen,
    day_of,
    newest_first,
    over,
    with_end_of_day,
    with_version,
)
from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed, with_end, with_used
from baton.engine.all_jobs.samples import Sample, place_of, recent
from baton.engine.all_jobs.slots import (
    BY_RECONCILER,
    PAGE,
    REQUESTED_EVERY_MS,
    QueuedJob,
    QueueEntry,
    SlotState,
    fill,
    line_of,
    page_mark,
    page_of,
    take,
    unacknowledged,
)
from baton.engine.commit.stored_bytes import BytesAdded
from baton.storage.ports.all_jobs import AdmissionState, ReconcileTurn, SlotAnswer, SlotGranted, Started
from baton_events.ids import is_child


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the admission keeps. It never changes; an update makes a new one."""

    entries: dict[str, QueueEntry] = field(default_factory=dict[str, QueueEntry])
    reconcile_at_ms: int = 0
    stopped_ms: int = 0
    reconciled_ms: int = 0
    rows: frozenset[str] = frozenset()
    ends: dict[str, AgentCounters] = field(default_factory=dict[str, AgentCounters])
    used: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict[tuple[str, str], dict[str, int]])
    stored: dict[str, dict[int, int]] = field(default_factory=dict[str, dict[int, int]])
    days: dict[str, DaySums] = field(default_factory=dict[str, DaySums])
    versions: dict[str, dict[str, VersionSeen]] = field(default_factory=dict[str, dict[str, VersionSeen]])


class InMemoryAdmission:
    """`Admission` in memory, with `slots` slots (a setting).

    `clock_ms`: the store's clock, by which sweeps are armed, where it differs from the caller's.
    """

    def __init__(
        self, slots: int = 3, reconcile_interval_ms: int = 60_000, clock_ms: Callable[[int], int] = int
    ) -> None:
        self.entries: dict[str, QueueEntry] = {}
        self.reconcile_at_ms = self.stopped_ms = self.reconciled_ms = 0
        self.rows: frozenset[str] = frozenset()
        self.ends: dict[str, AgentCounters] = {}
        self.used: dict[tuple[str, str], dict[str, int]] = {}
        self.stored: dict[str, dict[int, int]] = {}
        self.days: dict[str, DaySums] = {}
        self.versions: dict[str, dict[str, VersionSeen]] = {}
        self.samples: dict[int, Sample] = {}
        self.slots = self._set_slots = slots
        self._interval_ms = reconcile_interval_ms
        self._clock_ms = clock_ms
        self._requested_ms = 0
        self._first_values: dict[str, str] = {}

    def kept(self) -> Kept:
        """Return all data that is kept now."""
        times = (self.reconcile_at_ms, self.stopped_ms, self.reconciled_ms)
        return Kept(self.entries, *times, self.rows, self.ends, self.used, self.stored, self.days, self.versions)

    def go_back(self, kept: Kept) -> None:
        """Restore earlier data, as a failover does."""
        self.entries, self.reconcile_at_ms = kept.entries, kept.reconcile_at_ms
        self.stopped_ms, self.reconciled_ms, self.rows = kept.stopped_ms, kept.reconciled_ms, kept.rows
        self.ends, self.used, self.stored = kept.ends, kept.used, kept.stored
        self.days, self.versions = kept.days, kept.versions

    async def slot_request(
        self,
        job_id: str,
        slot_state: SlotState,
        queued_job: QueuedJob,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
        stored: BytesAdded | None = None,
    ) -> SlotAnswer:
        """Take a job's update."""
        before = self.entries.get(job_id)
        taken = take(self.entries, job_id, slot_state, queued_job, now_ms, self._given_slots(), alone=alone)
        if taken.busy:
            return SlotAnswer(slot=False, busy=True)
        self.entries = taken.slot_table
        new = before is not None and slot_state.epoch > before.epoch and before.want != "gone"
        if end and new:
            self.add_end(queued_job.agent, queued_job.tenant, end)
        if stored and stored.adds and (new if end else before is None):
            self.add_stored(queued_job.tenant, stored)
        return SlotAnswer(taken.slot, self._granted(taken.granted), self.arm(now_ms), taken.later_epoch)

    def add_end(self, agent: str, tenant: str, end: End) -> None:
        """Add a job's end to the sums."""
        self.ends = {**self.ends, agent: with_end(self.ends.get(agent, AgentCounters()), end)}
        month = (end.month, tenant)
        self.used = {**self.used, month: with_used(self.used.get(month, {}), end.used)}
        if end.ended_ms:
            day = day_of(end.ended_ms)
            days = {**self.days, day: with_end_of_day(self.days.get(day, {}), agent, tenant, end)}
            self.days = {name: days[name] for name in sorted(set(days).difference(over(days, day)))}
            self.versions = {**self.versions, agent: with_version(self.versions.get(agent, {}), end)}

    def add_stored(self, tenant: str, more: BytesAdded) -> None:
        """Add to the bytes that a tenant's jobs have stored."""
        sums = self.stored.get(tenant, {})
        added = {until_ms: sums.get(until_ms, 0) + size for until_ms, size in more.adds.items()}
        self.stored = {**self.stored, tenant: {**sums, **added}}

    def _given_slots(self) -> int:
        """Return how many slots are given: none while it is stopped."""
        return 0 if self.stopped_ms else self.slots

    def arm(self, now_ms: int) -> int:
        """Return when a sweep must be armed, 0: not. One is armed while a job holds a slot; an overdue one was lost."""
        clock_ms = self._clock_ms(now_ms)
        if not self._active() or self._is_armed(clock_ms):
            return 0
        self.reconcile_at_ms = clock_ms + self._interval_ms
        return self.reconcile_at_ms

    def _is_armed(self, clock_ms: int) -> bool:
        """Return whether a sweep is on its way; one that is much too late was armed by a wrong clock."""
        return clock_ms - self._interval_ms <= self.reconcile_at_ms <= clock_ms + 2 * self._interval_ms

    async def reconcile(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> ReconcileTurn:
        """Begin a sweep, or continue it with a page."""
        clock_ms, next_ms, granted = self._clock_ms(now_ms), 0, tuple[SlotGranted, ...]()
        if not after:
            entries = dict(self.entries)
            fill(entries, BY_RECONCILER, self._given_slots())
            self.entries, self.reconciled_ms = entries, now_ms
            active, pending = counted(entries)
            self.samples[place_of(now_ms)] = Sample(now_ms, active, pending, self.slots)
            taken = self._is_armed(clock_ms) and (not due_ms or self.reconcile_at_ms > due_ms)
            if self._active() and not taken:
                next_ms = self.reconcile_at_ms = clock_ms + self._interval_ms
            granted = self._granted(unacknowledged(entries))
        slot_table, following = page_of(self.entries, page_mark(due_ms, after, again=again), now_ms, page)
        return ReconcileTurn(next_ms, slot_table, granted, following)

    async def slot_table(self) -> dict[str, QueueEntry]:
        """Return all entries, by job id."""
        return dict(self.entries)

    async def entry(self, job_id: str) -> QueueEntry | None:
        """Return a job's entry."""
        return self.entries.get(job_id)

    async def may_request_reconcile(self, now_ms: int) -> bool:
        """Return whether a sweep may be requested now."""
        if self._requested_ms and abs(now_ms - self._requested_ms) < REQUESTED_EVERY_MS:
            return False
        self._requested_ms = now_ms
        return True

    async def first_value(self, name: str, value: str) -> str:
        """Return the value that was given first under this name."""
        return self._first_values.setdefault(name, value)

    async def prune(self, ended: Sequence[tuple[str, int]]) -> None:
        """Remove ended jobs from the slot table."""
        gone = {name for name, since_ms in ended if name in self.entries and self.entries[name].since_ms == since_ms}
        self.entries = {name: entry for name, entry in self.entries.items() if name not in gone}

    def start(self, now_ms: int, slots: int | None = None) -> Started:
        """Admit jobs again, `slots` at once."""
        self.slots = self.slots if slots is None else slots or self._set_slots
        entries = dict(self.entries)
        fill(entries, BY_RECONCILER, self.slots)
        self.entries, self.stopped_ms = entries, 0
        return Started(self.arm(now_ms), self._granted(unacknowledged(entries)))

    def _granted(self, names: tuple[str, ...]) -> tuple[SlotGranted, ...]:
        return tuple(SlotGranted(name, self.entries[name].epoch, self.entries[name].session_id) for name in names)

    def _active(self) -> bool:
        return any(entry.slot for entry in self.entries.values())


class InMemoryAdmissionControl:
    """`AdmissionControl` over an InMemoryAdmission."""

    def __init__(self, admission: InMemoryAdmission) -> None:
        self._admission = admission

    async def stop(self, now_ms: int) -> None:
        """Admit no job any more."""
        self._admission.stopped_ms = self._admission.stopped_ms or now_ms

    async def start(self, now_ms: int, slots: int | None = None) -> Started:
        """Admit jobs again, `slots` at once."""
        return self._admission.start(now_ms, slots)

    async def state(self) -> AdmissionState:
        """Return the admission's state."""
        admission = self._admission
        active, pending = counted(admission.entries)
        return AdmissionState(
            admission.slots,
            active=active,
            pending=pending,
            stopped_ms=admission.stopped_ms,
            reconciled_ms=admission.reconciled_ms,
        )

    async def live(self) -> dict[str, QueueEntry]:
        """Return the entries of all jobs that are not gone."""
        return {name: entry for name, entry in self._admission.entries.items() if entry.want != "gone"}

    async def live_of(self, tenant: str) -> dict[str, QueueEntry]:
        """Return the entries of a tenant's jobs that are not gone."""
        live = await self.live()
        return {name: entry for name, entry in live.items() if entry.tenant == tenant and not is_child(name)}

    async def line(self, tenant: str, session_id: str) -> dict[str, QueueEntry]:
        """Return the entries of a session's jobs at work or in line."""
        return line_of(self._admission.entries, tenant, session_id)

    async def ends(self) -> dict[str, AgentCounters]:
        """Return the sums of ended jobs."""
        return dict(self._admission.ends)

    async def used(self) -> tuple[MonthUsed, ...]:
        """Return the usage of the jobs of each month and tenant."""
        return tuple(MonthUsed(*name, used) for name, used in sorted(self._admission.used.items()))

    async def days(self, names: Sequence[str]) -> tuple[DayUsed, ...]:
        """Return the usage of the jobs of these days."""
        kept = self._admission.days
        return tuple(DayUsed(day, *series, used) for day in names for series, used in sorted(kept.get(day, {}).items()))

    async def versions(self, agent: str) -> tuple[VersionSeen, ...]:
        """Return the versions of an agent."""
        return newest_first(self._admission.versions.get(agent, {}))

    async def samples(self, now_ms: int) -> tuple[Sample, ...]:
        """Return the samples of the last hours."""
        return recent(self._admission.samples.values(), now_ms)


def counted(entries: dict[str, QueueEntry]) -> tuple[int, int]:
    """Return how many jobs hold a slot, and how many are in line."""
    held = [entry for entry in entries.values() if entry.slot]
    return len(held), sum(entry.want == "slot" and not entry.slot for entry in entries.values())
