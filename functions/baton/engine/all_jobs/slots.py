"""Admission, pure: the jobs that may use compute now, their slot requests, and the jobs that a sweep checks.

A job's slot request is a work item of its own state, with a request epoch that only grows. The slot table is in a hash
tag of its own and has one entrance, `take`; data crosses the two tags in slot requests only. Contract tests hold the
store to these rules. An armed sweep checks holders of slots, and jobs gone for so long that they may be removed; the
hourly one checks all, page by page in a fixed order.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.work_items import ItemKind, WorkItem, blocked
from baton_events.ids import is_child, root_of

Want = Literal["slot", "none", "gone"]

# A job without progress for this long counts as stalled, and is redriven.
STALLED_AFTER_MS = 60_000
KEEP_SLOT_MS = 60_000
# The entry of an ended job stays this long, and until a sweep has found it ended: its backup message may create it
# again.
TOMBSTONE_MS = 150_000
# A sweep is requested at most this often, over all processes.
REQUESTED_EVERY_MS = 60_000
# How long the first value under a name stays. A token of the queue is valid for five minutes; clients repeat sooner.
FIRST_VALUE_KEPT_MS = 3_600_000
# `granted_by` of a slot that a sweep gave, instead of a job's update.
BY_RECONCILER = "sweep"


class SlotState(Struct, frozen=True):
    """A job's slot state: what it wants of the admission, in which request epoch, and whether it holds a slot."""

    want: Want = "slot"
    epoch: int = 0
    slot: bool = False


class QueuedJob(Struct, frozen=True):
    """A job's data that the admission needs to be fair, and to list it."""

    tenant: str
    session_id: str
    priority: int
    created_ms: int
    agent: str = ""


class QueueEntry(Struct, frozen=True):
    """A job in the admission's slot table: its place, and its last update.

    Attributes:
        started: it has held a slot before.
        granted_by: the job whose update gave it the slot, until it has acknowledged that; empty: none, or acknowledged.
        since_ms: the time of its last update.
    """

    tenant: str
    session_id: str
    priority: int
    created_ms: int
    epoch: int = -1
    want: Want = "none"
    slot: bool = False
    started: bool = False
    granted_by: str = ""
    since_ms: int = 0
    agent: str = ""


SlotTable = Mapping[str, QueueEntry]


class Taken(Struct, frozen=True):
    """The admission's answer: the new slot table, whether the sender holds a slot, and the jobs to notify of theirs.

    `later_epoch`: of the update that the slot table knows, if it is a later one than this; else 0. `busy`: the job was
    to be alone in its session, and is not: its update was rejected.
    """

    slot_table: dict[str, QueueEntry]
    slot: bool
    granted: tuple[str, ...]
    later_epoch: int = 0
    busy: bool = False


def wanted(slot_state: SlotState, items: Iterable[WorkItem], *, ended: bool, now_ms: int) -> Want:
    """Return what a job wants now: a slot when there is work, kept while results are taken in ("release").

    `now_ms` may be long ago, if the caller stood still: a work item is no older than it is, and one that is claimed is
    due.
    """
    if ended:
        return "gone"
    mine = tuple(items)
    for item in mine:
        soon = item.owner or item.not_before_ms <= max(now_ms, item.since_ms) + KEEP_SLOT_MS
        keeps = slot_state.want == "slot" and item.kind is not ItemKind.SLOT_REQUEST and not item.offloaded
        if soon and (item.needs_slot or keeps) and not blocked(item, mine):
            return "slot"
    return "none"


def next_epoch(slot_state: SlotState, now_ms: int, later_epoch: int = 0) -> int:
    """Return a number that only grows; it is a time, so it grows across a failover, too ("fresh request epoch")."""
    return max(slot_state.epoch + 1, now_ms, later_epoch + 1)


def take(
    slot_table: SlotTable,
    job_id: str,
    slot_state: SlotState,
    queued_job: QueuedJob,
    now_ms: int,
    slots: int,
    *,
    alone: bool = False,
) -> Taken:
    """Apply a job's update: note its slot request unless it is an older one, fill the free slots, list the grants.

    `alone`: a job that the slot table does not know is refused while another one of its session is at work or in line.
    """
    entries = dict(slot_table)
    if alone and job_id not in entries and line_of(entries, queued_job.tenant, queued_job.session_id):
        return Taken(entries, slot=False, granted=(), busy=True)
    entry = entries.get(job_id) or QueueEntry(
        queued_job.tenant, queued_job.session_id, queued_job.priority, queued_job.created_ms, agent=queued_job.agent
    )
    if slot_state.epoch > entry.epoch:  # "request epoch"
        slot = entry.slot and slot_state.want == "slot"
        started = entry.started and entry.want != "gone"  # one that was retried is no wake-up
        entry = replace(entry, epoch=slot_state.epoch, want=slot_state.want, slot=slot, started=started)
    current = slot_state.epoch == entry.epoch
    if current:  # a repeated update counts, too: its job lives, and the entry must stay in the slot table
        entry = replace(entry, since_ms=max(entry.since_ms, now_ms))
    if current and entry.slot:
        entry = replace(entry, granted_by="")  # acknowledged
    entries[job_id] = entry
    fill(entries, job_id, slots)
    granted = tuple(
        name for name in sorted(entries) if current and entries[name].slot and entries[name].granted_by == job_id
    )  # "told until taken"
    return Taken(entries, current and entries[job_id].slot, granted, 0 if current else entry.epoch)


def unacknowledged(slot_table: SlotTable) -> tuple[str, ...]:
    """Return the jobs that hold a slot and have not acknowledged it: a sweep notifies them again."""
    return tuple(name for name in sorted(slot_table) if slot_table[name].slot and slot_table[name].granted_by)


def fill(entries: dict[str, QueueEntry], granted_by: str, slots: int) -> None:
    """Give free slots: wake-ups first, then the tenant with the fewest, then by priority, then in order."""
    while sum(entry.slot for entry in entries.values()) < slots:
        able = [name for name in lines(entries).values() if entries[name].want == "slot" and not entries[name].slot]
        if not able:
            return
        held: dict[str, int] = {}
        for entry in entries.values():
            held[entry.tenant] = held.get(entry.tenant, 0) + entry.slot
        name = min(able, key=lambda n: _rank(n, entries[n], held[entries[n].tenant]))
        entries[name] = replace(
            entries[name], slot=True, started=True, granted_by=granted_by if name != granted_by else ""
        )


def lines(entries: Mapping[str, QueueEntry]) -> dict[str, str]:
    """Return session → the job whose turn it is: one with a slot, one that has started, else the first in order.

    A child waits for no other job of the session, which is that of the job that started it.
    """
    heads: dict[str, str] = {}
    for name, entry in sorted(entries.items(), key=_turn):
        if _lives(entry):
            heads.setdefault(name if is_child(name) else f"{entry.tenant}/{entry.session_id}", name)
    return heads


def line_of(entries: Mapping[str, QueueEntry], tenant: str, session_id: str) -> dict[str, QueueEntry]:
    """Return a session's jobs at work or in line, without children."""
    return {
        name: entry
        for name, entry in entries.items()
        if _lives(entry) and not is_child(name) and (entry.tenant, entry.session_id) == (tenant, session_id)
    }


def _lives(entry: QueueEntry) -> bool:
    """Return whether it takes part in its session's line: one that is to start later does not hold it up."""
    return entry.want == "slot" or (entry.want == "none" and entry.started)


def _turn(item: tuple[str, QueueEntry]) -> tuple[bool, bool, int, str]:
    name, entry = item
    return (not entry.slot, not entry.started, entry.created_ms, name)


def _rank(name: str, entry: QueueEntry, held: int) -> tuple[bool, int, int, int, str]:
    return (not entry.started, held, -entry.priority, entry.created_ms, name)


# The number of jobs that one request checks; their entries are 300 kB.
PAGE = 900
HOLDERS, GONE, ALL = "h", "g", "a"


def page_mark(due_ms: int, after: str, *, again: bool) -> str:
    """Return the mark where a page begins; `after`: the mark at the end of the one before, empty for the first one.

    A page that comes again may be the relay of items of a job without a slot by now, so it goes through all jobs.
    """
    kind, _, last = (after or f"{HOLDERS if due_ms else ALL}:").partition(":")
    return f"{ALL if again and kind == HOLDERS else kind}:{last}"


def page_of(entries: Mapping[str, QueueEntry], mark: str, now_ms: int, size: int) -> tuple[dict[str, QueueEntry], str]:
    """Return the page at `mark`, with all of its jobs' trees, and the mark at its end (empty: it is the last one)."""
    kind, _, last = mark.partition(":")
    names, end = list[str](), ""
    if kind != GONE:
        able = sorted(name for name, entry in entries.items() if (kind == ALL or entry.slot) and name > last)
        names, end = some(able, size, kind, str)
    if kind != ALL and len(names) < size:
        since = int(last) if kind == GONE else -1
        old = {name: e.since_ms for name, e in entries.items() if e.want == "gone"}
        gone = sorted((at, name) for name, at in old.items() if since < at < now_ms - TOMBSTONE_MS)
        more, end = some([name for _, name in gone], size - len(names), GONE, lambda name: str(old[name]))
        names += more
    roots = {root_of(name) for name in names}
    return {name: entry for name, entry in entries.items() if root_of(name) in roots}, end


def some(able: list[str], size: int, kind: str, mark: Callable[[str], str]) -> tuple[list[str], str]:
    """Return as many names as a page has room for, and the mark behind them, if it is full then."""
    names = able[:size]
    return names, f"{kind}:{mark(names[-1])}" if len(names) == size else ""
