"""Admission, pure: the jobs that may use compute now, their slot requests, and the jobs that a sweep checks.

A job's slot request is a work item of its own state, with a request epoch that only grows. The slot table is in a hash
tag of its own; data crosses the two tags in slot requests only. Who gets a slot is decided by the store's script
(decisions/0011-admission). An armed sweep checks holders of slots, and jobs gone for so long that they may be removed;
the hourly one checks all, page by page in a fixed order.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from baton.engine.work_items import ItemKind, WorkItem, blocked

Want = Literal["slot", "none", "gone"]

# A job without progress for this long counts as stalled, and is replayed.
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
BY_SWEEP = "sweep"


class SlotState(Struct, frozen=True):
    """A job's slot state: what it wants of the admission, in which request epoch, and whether it holds a slot."""

    want: Want = "slot"
    epoch: int = 0
    slot: bool = False


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


# The number of jobs that one request checks; their entries are 300 kB.
SWEEP_PAGE = 900
HOLDERS, GONE, ALL = "h", "g", "a"


def page_mark(due_ms: int, after: str, *, again: bool) -> str:
    """Return the mark where a page begins; `after`: the mark at the end of the one before, empty for the first one.

    A page that comes again may be the relay of items of a job without a slot by now, so it goes through all jobs.
    """
    kind, _, last = (after or f"{HOLDERS if due_ms else ALL}:").partition(":")
    return f"{ALL if again and kind == HOLDERS else kind}:{last}"


def some(able: list[str], size: int, kind: str, mark: Callable[[str], str]) -> tuple[list[str], str]:
    """Return as many names as a page has room for, and the mark behind them, if it is full then."""
    names = able[:size]
    return names, f"{kind}:{mark(names[-1])}" if len(names) == size else ""


# The load of the last hours, a ring of samples: in a minute without one no sweep ran, as no job was at work.
MINUTE_MS = 60_000
SAMPLES = 360
SAMPLES_KEPT_MS = SAMPLES * MINUTE_MS


class Sample(Struct, frozen=True, array_like=True):
    """The load at a time: jobs that hold a slot, jobs in line for one, and the number of slots."""

    at_ms: int
    active: int
    pending: int
    slots: int


def recent_samples(samples: Iterable[Sample], now_ms: int) -> tuple[Sample, ...]:
    """Return the samples of the last hours, the oldest first; a place that no sweep overwrote has an older one."""
    return tuple(sorted((each for each in samples if each.at_ms > now_ms - SAMPLES_KEPT_MS), key=attrgetter("at_ms")))
