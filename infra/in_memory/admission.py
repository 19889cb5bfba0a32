"""The admission in memory: the pure rules of events/core/admission.py over a dict."""

from collections.abc import Sequence

from events.core.admission import SWEEP, TOMBSTONE_MS, Entry, Place, Standing, fill, take, untold
from events.ports import Heard, SweepTurn, Told


class InMemoryAdmission:
    """`Admission` in memory, with so many slots (a setting). `entries` and `sweep_at_ms` are all that it keeps."""

    def __init__(self, slots: int = 3, sweep_interval_ms: int = 60_000) -> None:
        self.entries: dict[str, Entry] = {}
        self.sweep_at_ms = 0
        self.slots = slots
        self._interval_ms = sweep_interval_ms

    async def wish(self, job_id: str, standing: Standing, place: Place, now_ms: int, *, alone: bool = False) -> Heard:
        """Take a job's word."""
        taken = take(self.entries, job_id, standing, place, now_ms, self.slots, alone=alone)
        if taken.busy:
            return Heard(slot=False, busy=True)
        self.entries = taken.book
        sweep_at_ms = 0
        if self._active() and self.sweep_at_ms + self._interval_ms < now_ms:
            sweep_at_ms = self.sweep_at_ms = now_ms + self._interval_ms
        return Heard(taken.slot, self._told(taken.tell), sweep_at_ms, taken.later_lap)

    async def sweep(self, due_ms: int, now_ms: int) -> SweepTurn:
        """A sweep begins."""
        entries = dict(self.entries)
        fill(entries, SWEEP, self.slots)
        self.entries = entries
        taken = self.sweep_at_ms > due_ms if due_ms else self.sweep_at_ms + self._interval_ms >= now_ms
        next_ms = 0
        if self._active() and not taken:
            next_ms = self.sweep_at_ms = now_ms + self._interval_ms
        old = (name for name, e in entries.items() if e.want == "gone" and now_ms - e.since_ms > TOMBSTONE_MS)
        shown = {name for name, e in entries.items() if e.want != "gone"} | set(list(old)[:200])
        book = {name: entry for name, entry in entries.items() if name in shown}
        return SweepTurn(next_ms, book, self._told(untold(entries)))

    async def book(self) -> dict[str, Entry]:
        """All entries, by job id."""
        return dict(self.entries)

    async def entry(self, job_id: str) -> Entry | None:
        """A job's entry."""
        return self.entries.get(job_id)

    async def leave(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take ended jobs off the book."""
        gone = {name for name, since_ms in ended if name in self.entries and self.entries[name].since_ms == since_ms}
        self.entries = {name: entry for name, entry in self.entries.items() if name not in gone}

    def _told(self, names: tuple[str, ...]) -> tuple[Told, ...]:
        return tuple(Told(name, self.entries[name].lap, self.entries[name].session_id) for name in names)

    def _active(self) -> bool:
        return any(entry.slot for entry in self.entries.values())
