"""The data under one hash tag, as far as a step reads it: a job, its children, and all that belongs to them.

Invariant: a Tree never changes; a step makes a new one, and what differs is written.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry, SlotState, Want, next_epoch, wanted
from baton.engine.commit.answers import Signal, Tombstone
from baton.engine.effects import Skip
from baton.engine.state import BudgetScope, CallRecord, Job, Usage
from baton.engine.work_items import (
    FOLLOW_UP_MS,
    FOLLOW_UPS,
    WORK_KINDS,
    ItemKind,
    WorkItem,
    blocked,
    slot_request_item,
    slot_request_key,
)
from baton.sdk.records.limits import NOTHING_SPENT, Spend
from baton.sdk.records.transcript import FOREVER_MS
from baton_events.ids import job_of_call

# The slot state of a job without an update yet: its first want is new, whatever it is.
NO_SLOT_STATE = SlotState(cast("Want", ""), -1)
_KEY = attrgetter("key")
_V = TypeVar("_V")


class Tree(Struct, frozen=True):
    """One tag's data. `expires_ms`: when it goes, once the root has ended; 0: never. `tombstone`: left then.

    `events`: by job, events that no wait has taken yet: "TIME:FACT" → the event's name.
    `messages`: by job, messages of its user while it ran: "TIME:ID" → the transcript's entry; empty: it is there.
    `needed_until`: by call whose operation goes on in the background, how long that waits and needs the tree, in ms.
    `placed`: by job, the key of the work item that is in the job's own field (layout.py).
    """

    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    slot_states: dict[str, SlotState] = field(default_factory=dict[str, SlotState])
    usage: dict[str, Usage] = field(default_factory=dict[str, Usage])
    items: dict[str, WorkItem] = field(default_factory=dict[str, WorkItem])
    calls: dict[str, dict[str, CallRecord]] = field(default_factory=dict[str, dict[str, CallRecord]])
    results: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    transcript: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    child_usage: dict[str, Spend] = field(default_factory=dict[str, Spend])
    events: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    messages: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    needed_until: dict[str, int] = field(default_factory=dict[str, int])
    placed: dict[str, str] = field(default_factory=dict[str, str])
    expires_ms: int = 0
    tombstone: Tombstone | None = None

    def kept_ms(self, ended_ms: int, retention_ms: int) -> int:
        """Return how long an ended tree is kept from then on: what still waits for it adds its wait."""
        waits = [until_ms - ended_ms for until_ms in self.needed_until.values()]
        follows = any(item.kind in FOLLOW_UPS for item in self.items.values())
        return max(retention_ms + max([0, *waits]), FOLLOW_UP_MS if follows else 0)

    def pending(self, message_id: str, now_ms: int, but: str = "") -> tuple[WorkItem, ...]:
        """Return the work items that a message must dispatch, in the order of their keys."""
        mine = [item for item in self.items.values() if item.relay_id == message_id and item.key != but]
        free = [item for item in mine if not self.gated(item, now_ms) and not self.held(item)]
        return tuple(sorted(free, key=_KEY) if len(free) > 1 else free)

    def begun_with_slot(self, message_id: str, now_ms: int, but: str = "") -> tuple[WorkItem, ...]:
        """Return the claimed work items of a message whose job has lost its slot since.

        They are not dispatched, as they wait for the job's slot request; and the message may be over before they are
        done.
        """
        mine = (item for item in self.items.values() if item.relay_id == message_id and item.key != but and item.owner)
        return tuple(sorted((item for item in mine if self.gated(item, now_ms)), key=_KEY))

    def blocked(self, item: WorkItem) -> bool:
        """Return whether a step waits for one before it."""
        return bool(item.after) and blocked(item, self.items.values())

    def held(self, item: WorkItem) -> bool:
        """Return whether there is nothing to do for a work item before another one, or a signal, makes it due."""
        return item.not_before_ms >= FOREVER_MS or self.blocked(item)

    def unblocked(self, message_id: str, now_ms: int) -> "Tree":
        """Make this message the relay of steps that waited for nothing but the step that it ended."""
        free = {
            item.key: replace(item, relay_id=message_id, since_ms=now_ms)
            for item in self.items.values()
            if item.after and item.kind is ItemKind.CALL and not item.relay_id and not self.blocked(item)
        }
        return replace(self, items={**self.items, **free}) if free else self

    def budget_scopes(self, item: WorkItem, now_ms: int) -> tuple[BudgetScope, ...]:
        """Return the job of a turn and those above it, with the usage and reservations below each."""
        if item.kind is not ItemKind.LOOP:
            return ()
        names = [item.job_id, *(name for name in _above(item.job_id) if name in self.jobs)]
        return tuple(
            BudgetScope(self.jobs[name], self.child_usage.get(name, NOTHING_SPENT), self._reserved(name, item, now_ms))
            for name in names
        )

    def _reserved(self, name: str, but: WorkItem, now_ms: int) -> int:
        turns = (
            item for item in self.items.values() if item.kind is ItemKind.LOOP and item.job_id.startswith(f"{name}.")
        )
        # The model call is in progress here, or offloaded.
        live = (item for item in turns if (item.owner and item.lease_until_ms > now_ms) or item.offloaded)
        return sum(self.jobs[item.job_id].reserve_tokens for item in live if item.key != but.key)

    def with_spend(self, job_id: str, spends: Spend) -> "Tree":
        """Return the tree with a child's usage noted at the jobs above it."""
        child_usage = dict(self.child_usage)
        for name in _above(job_id):
            old = child_usage.get(name, NOTHING_SPENT)
            child_usage[name] = Spend(
                old.turns + spends.turns,
                old.tool_calls + spends.tool_calls,
                old.tokens + spends.tokens,
                old.cost_usd + spends.cost_usd,
            )
        return replace(self, child_usage=child_usage)

    def gated(self, item: WorkItem, now_ms: int) -> bool:
        """Return whether a work item needs a slot that its job lacks, and is due or waits for the slot request."""
        if not item.needs_slot:
            return False
        slot_state = self.slot_state(item.job_id)
        return not slot_state.slot and (item.not_before_ms <= now_ms or slot_state.want == "slot")

    def slot_state(self, job_id: str) -> SlotState:
        """Return a job's slot state."""
        return self.slot_states.get(job_id, NO_SLOT_STATE)

    def settled(self, job_id: str, message_id: str, now_ms: int, later_epoch: int = 0) -> "Tree":
        """Return the tree with a new slot request, if the job's want changed, or the admission knows a later update."""
        slot_state = self.slot_state(job_id)
        items = (item for item in self.items.values() if item.job_id == job_id)
        want = wanted(slot_state, items, ended=self.jobs[job_id].ended, now_ms=now_ms)
        if want == slot_state.want and not later_epoch:
            return self
        return self.requesting_slot(job_id, want, message_id, now_ms, later_epoch)

    def requesting_slot(self, job_id: str, want: Want, message_id: str, now_ms: int, later_epoch: int = 0) -> "Tree":
        """Return the tree with a new slot request, in place of the one before."""
        slot_state = self.slot_state(job_id)
        epoch = next_epoch(slot_state, now_ms, later_epoch)
        slot_request = replace(slot_request_item(job_id, want, epoch, now_ms), relay_id=message_id)
        items = {key: item for key, item in self.items.items() if key != slot_request_key(job_id, slot_state.epoch)}
        return replace(
            self,
            slot_states={**self.slot_states, job_id: SlotState(want, epoch)},
            items={**items, slot_request.key: slot_request},
        )

    def waits(self, job_id: str, now_ms: int) -> list[WorkItem]:
        """Return the waits of a job that are not over, in the order of their keys."""
        mine = (item for item in self.items.values() if item.kind is ItemKind.WAIT and item.job_id == job_id)
        return sorted((item for item in mine if item.not_before_ms > now_ms), key=_KEY)

    def woken(self, item: WorkItem, message_id: str, now_ms: int) -> "Tree":
        """Return the tree with this wait due, and this message as its relay."""
        due = replace(item, not_before_ms=0, since_ms=now_ms, relay_id=message_id)
        return replace(self, items={**self.items, item.key: due})

    def with_result(self, job_id: str, name: str, text: str) -> "Tree":
        """Return the tree with this result."""
        return replace(self, results=merged(self.results, job_id, {name: text}))

    def answered_early(self, item: WorkItem, message_id: str, now_ms: int) -> "Tree":
        """Return the tree with a new wait ended, if its outcome or an event for it has come before."""
        job_id, over = item.job_id, item.not_before_ms <= now_ms
        early = self.results.get(job_id, {}).get(f"early:{item.call_id}")
        if early is not None:
            tree = self.with_result(job_id, item.call_id, early)
            return tree if over else tree.woken(item, message_id, now_ms)
        if over:
            return self
        kept = self.events.get(job_id, {})
        found = next((at for at in sorted(kept) if item.event and kept[at] == item.event), None)
        if found is None:
            return self
        left = {at: name for at, name in kept.items() if at != found}
        text = self.results[job_id][f"event:{found.partition(':')[2]}"]
        tree = replace(self, events={**self.events, job_id: left})
        return tree.with_result(job_id, item.call_id, text).woken(item, message_id, now_ms)

    def message(self, job_id: str, name: str) -> str | None:
        """Return the message of this id to a job; empty: it is in the transcript. None: there is none."""
        messages = self.messages.get(job_id, {}).items()
        return next((text for at, text in messages if at.partition(":")[2] == name), None)

    def with_message(self, job_id: str, at: str, text: str) -> "Tree":
        """Return the tree with this message to the job, or with a note that the transcript has it."""
        return replace(self, messages=merged(self.messages, job_id, {at: text}))

    def signalled(self, job_id: str, signal: Signal, message_id: str, now_ms: int) -> "Tree":
        """Return the tree with a signal, for a wait of now or later."""
        if signal.message:
            return self.with_message(job_id, f"{now_ms}:{signal.id}", signal.message)
        # Before its call waits, an outcome is kept apart: the call may still end otherwise, or be retried.
        waits = any(item.kind is ItemKind.WAIT and item.call_id == signal.call_id for item in self.items.values())
        kept = signal.call_id if waits else f"early:{signal.call_id}"
        tree = self.with_result(job_id, kept if signal.call_id else f"event:{signal.id}", signal.outcome)
        for item in self.waits(job_id, now_ms):
            if signal.call_id and item.call_id == signal.call_id:
                return tree.woken(item, message_id, now_ms)
            # Where the clock that ended a wait is ahead of this one, the wait looks open, and is over.
            over = item.call_id in tree.results[job_id]
            if not signal.call_id and item.event == signal.event and not over:
                return tree.with_result(job_id, item.call_id, signal.outcome).woken(item, message_id, now_ms)
        if signal.call_id:
            return tree
        return replace(tree, events=merged(tree.events, job_id, {f"{now_ms}:{signal.id}": signal.event}))

    def reported(self, call_id: str, outcome: str, message_id: str, now_ms: int) -> "Tree":
        """Return the tree with a child's end as the outcome of the call that started it."""
        parent_id = job_of_call(call_id)
        tree = self
        if parent_id not in tree.jobs:
            return tree
        if call_id not in tree.results.get(parent_id, {}):
            tree = tree.with_result(parent_id, call_id, outcome)
        for item in tree.waits(parent_id, now_ms):
            if item.call_id == call_id:
                tree = tree.woken(item, message_id, now_ms)
        return tree.settled(parent_id, message_id, now_ms)

    def begun_again(self, job_id: str, forgets: Sequence[str]) -> "Tree":
        """Return the tree without an ended job's open items, and without the outcomes of the calls that run again."""
        items = {key: item for key, item in self.items.items() if item.job_id != job_id}
        child_usage = {name: spend for name, spend in self.child_usage.items() if name != job_id}
        mine, gone = self.results.get(job_id, {}), set(forgets)
        kept = {name: text for name, text in mine.items() if name not in gone and not name.startswith("early:")}
        results = {**self.results, job_id: kept}
        return replace(self, items=items, child_usage=child_usage, results=results, expires_ms=0, tombstone=None)

    def skipping(self, skips: Sequence[Skip]) -> "Tree":
        """Return the tree with these steps recorded as skipped."""
        tree = self
        for skip in skips:
            job_id, record = job_of_call(skip.record.id), skip.record
            calls = merged(tree.calls, job_id, {record.id: record})
            tree = replace(tree, calls=calls, parts=longer(tree.parts, job_id, skip.parts))
            tree = tree.with_result(job_id, record.id, skip.result)
        return tree

    def admitted(self, job_id: str, message_id: str, now_ms: int) -> "Tree":
        """Grant the slot request: this message dispatches the work that waited for it; a sweep counts from now."""
        slot_state = self.slot_state(job_id)
        work = {
            item.key: replace(item, relay_id=message_id, since_ms=now_ms)
            for item in self.items.values()
            if item.job_id == job_id and item.kind in WORK_KINDS and not self.blocked(item)
        }
        granted = replace(slot_state, slot=slot_state.want == "slot")
        return replace(self, slot_states={**self.slot_states, job_id: granted}, items={**self.items, **work})

    def agrees(self, job_id: str, entry: QueueEntry | None) -> bool:
        """Return whether the admission knows what the job wants, or a request for it is on its way."""
        slot_state = self.slot_state(job_id)
        if slot_request_key(job_id, slot_state.epoch) in self.items:
            return entry is None or entry.epoch <= slot_state.epoch
        if entry is None:
            return slot_state.want == "gone"
        same = (entry.epoch, entry.want) == (slot_state.epoch, slot_state.want)
        return same and (entry.slot or not slot_state.slot)

    def requested_ms(self, job_id: str) -> int:
        """Return the time of the job's last slot request, or of its end."""
        ended_ms = self.usage[job_id].updated_ms if self.jobs[job_id].ended else 0
        return max(self.slot_state(job_id).epoch, ended_ms)

    def over(self) -> tuple[str, ...]:
        """Return the ended jobs that have no open work item."""
        open_of = {item.job_id for item in self.items.values()}
        return tuple(name for name in sorted(self.jobs) if self.jobs[name].ended and name not in open_of)

    def without_progress(
        self, job_id: str, entry: QueueEntry | None, message_id: str, now_ms: int, stalled_after_ms: int
    ) -> list[WorkItem]:
        """Return the job's work items without a claim or replay for too long, with this message as their relay."""
        slot_state = self.slot_state(job_id)
        same = entry is not None and (entry.epoch, entry.want) == (slot_state.epoch, slot_state.want)
        in_line = same and entry is not None and entry.want == "slot" and not entry.slot
        found: list[WorkItem] = []
        for item in sorted(self.items.values(), key=lambda item: item.key):
            waits = in_line if item.kind is ItemKind.SLOT_REQUEST else self.gated(item, now_ms) or self.held(item)
            # The slot table has forgotten this request: a submission's backup message must not come too soon.
            patience_ms = (
                stalled_after_ms / 2 if item.kind is ItemKind.SLOT_REQUEST and entry is None else stalled_after_ms
            )
            # An invocation that had lost its message may have failed to publish a timer, so it is published once more.
            due_ms = 0 if item.redelivered and not item.owner else item.not_before_ms
            last_ms = max(item.since_ms, due_ms, item.lease_until_ms + stalled_after_ms / 6 - patience_ms)
            if item.job_id == job_id and not waits and (item.relay_id == message_id or now_ms - last_ms > patience_ms):
                again = bool(item.owner) or (item.relay_id == message_id and item.since_ms < now_ms)
                found.append(replace(item, since_ms=now_ms, relay_id=message_id, redelivered=again))
        return found


def merged(all_jobs: dict[str, dict[str, _V]], job_id: str, new: dict[str, _V]) -> dict[str, dict[str, _V]]:
    """Return the records of all jobs, with these among this one's."""
    return {**all_jobs, job_id: {**all_jobs.get(job_id, {}), **new}} if new else all_jobs


def longer(all_jobs: dict[str, tuple[str, ...]], job_id: str, new: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the lists of all jobs, with these entries at the end of this one's."""
    return {**all_jobs, job_id: (*all_jobs.get(job_id, ()), *new)} if new else all_jobs


def _above(job_id: str) -> list[str]:
    """Return the ids of the jobs above this one, the nearest first."""
    names = job_id.split(".")
    return [".".join(names[:count]) for count in range(len(names) - 1, 0, -1)]
