"""A tree that a step changes, which notes what it touches: the store writes that, and compares no two trees.

Invariant: the tree that it was made of stays as it was. A dictionary is replaced, never changed, so whoever holds one
from before keeps it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import add, attrgetter
from typing import Any

from msgspec import field
from msgspec.structs import astuple, replace

from baton.engine.all_jobs.slots import SlotState, Want, next_epoch, wanted
from baton.engine.commit.answers import Signal
from baton.engine.commit.tree import Tree, above
from baton.engine.effects import Skip
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.work_items import WORK_KINDS, ItemKind, WorkItem, slot_request_item, slot_request_key
from baton.sdk.records.limits import NOTHING_SPENT, Spend
from baton_events.ids import job_of_call

_data_of = attrgetter(*Tree.__struct_fields__)


class Draft(Tree):
    """A tree to change. Transcripts and streams have their new entries only.

    `fields`: fields of the state with their new records or texts; None: it is removed. `touched`: keys of work items.
    `new_calls`, `new_results`: by job, what is written of its calls; a result that is None is forgotten.
    `begins_again`: the tree had ended; nothing of it expires any more.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    new_calls: dict[str, dict[str, CallRecord]] = field(default_factory=dict)
    new_results: dict[str, dict[str, str | None]] = field(default_factory=dict)
    begins_again: bool = False

    @classmethod
    def of(cls, tree: Tree) -> "Draft":
        return cls(*_data_of(tree))

    def as_it_is(self) -> Tree:
        """Return the tree as it is now, which later changes leave alone."""
        return Tree(*_data_of(self))

    def put_job(self, job: Job) -> None:
        if self.jobs.get(job.id) is not job:
            self.jobs = {**self.jobs, job.id: job}
            self.fields[f"job:{job.id}"] = job

    def put_slot_state(self, job_id: str, slot_state: SlotState) -> None:
        self.slot_states = {**self.slot_states, job_id: slot_state}
        self.fields[f"slot_state:{job_id}"] = slot_state

    def put_usage(self, job_id: str, used: Usage) -> None:
        self.usage = {**self.usage, job_id: used}
        self.fields[f"usage:{job_id}"] = used

    def put_items(self, *items: WorkItem) -> None:
        """Put work items, new or changed."""
        if items:
            self.items = kept = {**self.items}
            for item in items:
                kept[item.key] = item
                self.touched[item.key] = None

    def drop_items(self, *keys: str) -> None:
        """Remove work items."""
        gone = [key for key in keys if key in self.items]
        if gone:
            self.items = kept = {**self.items}
            for key in gone:
                del kept[key]
                self.touched[key] = None

    def put_calls(self, job_id: str, *records: CallRecord) -> None:
        if records:
            new = {record.id: record for record in records}
            self.calls = {**self.calls, job_id: {**self.calls.get(job_id, {}), **new}}
            self.new_calls[job_id] = {**self.new_calls.get(job_id, {}), **new}

    def put_results(self, job_id: str, results: Mapping[str, str]) -> None:
        if not results:
            return
        known = self.results.get(job_id, {})
        new = {name: text for name, text in results.items() if known.get(name) != text}
        if new:
            self.results = {**self.results, job_id: {**known, **new}}
            self.new_results[job_id] = {**self.new_results.get(job_id, {}), **new}

    def keep_results(self, kept: Callable[[str], str]) -> None:
        """Have the new results as they are kept."""
        for job_id, new in self.new_results.items():
            texts = {name: None if text is None else kept(text) for name, text in new.items()}
            there = {name: text for name, text in texts.items() if text is not None}
            self.new_results[job_id] = texts
            self.results = {**self.results, job_id: {**self.results.get(job_id, {}), **there}}

    def add_entries(self, job_id: str, entries: tuple[str, ...]) -> None:
        if entries:
            self.transcript = {**self.transcript, job_id: self.transcript.get(job_id, ()) + entries}

    def add_parts(self, job_id: str, parts: tuple[str, ...]) -> None:
        if parts:
            self.parts = {**self.parts, job_id: self.parts.get(job_id, ()) + parts}

    def unblock(self, message_id: str, now_ms: int) -> None:
        """Make this message the relay of steps that waited for nothing but the step that it ended."""
        free = [
            replace(item, relay_id=message_id, since_ms=now_ms)
            for item in self.items.values()
            if item.after and item.kind is ItemKind.CALL and not item.relay_id and not self.blocked(item)
        ]
        self.put_items(*free)

    def add_spend(self, job_id: str, spends: Spend) -> None:
        """Note a child's usage at the jobs above it."""
        for name in above(job_id):
            old = self.child_usage.get(name, NOTHING_SPENT)
            spent = Spend(*map(add, astuple(old), astuple(spends)))
            self.child_usage = {**self.child_usage, name: spent}
            self.fields[f"child_usage:{name}"] = spent

    def note_end(self, call_id: str, now_ms: int) -> None:
        """Note a call's end for its job's next turn."""
        self.ended = {**self.ended, call_id: str(now_ms)}
        self.fields[f"ended:{call_id}"] = str(now_ms)

    def forget_ends(self, call_ids: Iterable[str]) -> None:
        """Remove these ends from the news."""
        gone = [name for name in call_ids if name in self.ended]
        if gone:
            self.ended = {name: at for name, at in self.ended.items() if name not in gone}
            self.fields |= dict.fromkeys([f"ended:{name}" for name in gone])

    def need(self, call_id: str, until_ms: int) -> None:
        """Note how long the operation of a call needs the tree."""
        self.needed_until = {**self.needed_until, call_id: until_ms}
        self.fields[f"needed_until:{call_id}"] = str(until_ms)

    def settle(self, job_id: str, message_id: str, now_ms: int, later_epoch: int = 0) -> None:
        """Add a slot request, if the job's want changed, or the admission knows a later update."""
        slot_state = self.slot_state(job_id)
        items = [item for item in self.items.values() if item.job_id == job_id]
        want = wanted(slot_state, items, ended=self.jobs[job_id].ended, now_ms=now_ms)
        if want != slot_state.want or later_epoch:
            self.request_slot(job_id, want, message_id, now_ms, later_epoch)

    def request_slot(self, job_id: str, want: Want, message_id: str, now_ms: int, later_epoch: int = 0) -> None:
        """Add a slot request, in place of the one before."""
        slot_state = self.slot_state(job_id)
        epoch = next_epoch(slot_state, now_ms, later_epoch)
        self.put_slot_state(job_id, SlotState(want, epoch))
        self.drop_items(slot_request_key(job_id, slot_state.epoch))
        self.put_items(replace(slot_request_item(job_id, want, epoch, now_ms), relay_id=message_id))

    def wake(self, item: WorkItem, message_id: str, now_ms: int) -> None:
        """Make this wait due, with this message as its relay."""
        self.put_items(replace(item, not_before_ms=0, since_ms=now_ms, relay_id=message_id))

    def answer_early(self, item: WorkItem, message_id: str, now_ms: int) -> None:
        """End a new wait, if its outcome or an event for it has come before."""
        job_id, over = item.job_id, item.not_before_ms <= now_ms
        early = self.results.get(job_id, {}).get(f"early:{item.call_id}")
        if early is None and not over:
            early = self._taken_event(job_id, item.event)
        if early is not None:
            self.put_results(job_id, {item.call_id: early})
            if not over:
                self.wake(item, message_id, now_ms)

    def _taken_event(self, job_id: str, name: str) -> str | None:
        """Take the first event of this name that is kept for a wait; return its outcome."""
        kept = self.events.get(job_id, {})
        found = next((at for at in sorted(kept) if name and kept[at] == name), None)
        if found is None:
            return None
        self.events = {**self.events, job_id: {at: each for at, each in kept.items() if at != found}}
        self.fields[f"event:{job_id}:{found}"] = None
        return self.results[job_id][f"event:{found.partition(':')[2]}"]

    def put_message(self, job_id: str, at: str, text: str) -> None:
        """Put a message to the job, or a note that the transcript has it."""
        self.messages = {**self.messages, job_id: {**self.messages.get(job_id, {}), at: text}}
        self.fields[f"message:{job_id}:{at}"] = text

    def take_signal(self, job_id: str, signal: Signal, message_id: str, now_ms: int) -> None:
        """Put a signal, for a wait of now or later."""
        if signal.message:
            self.put_message(job_id, f"{now_ms}:{signal.id}", signal.message)
            return
        # Before its call waits, an outcome is kept apart: the call may still end otherwise, or be retried.
        waits = any(item.kind is ItemKind.WAIT and item.call_id == signal.call_id for item in self.items.values())
        kept = signal.call_id if waits else f"early:{signal.call_id}"
        self.put_results(job_id, {kept if signal.call_id else f"event:{signal.id}": signal.outcome})
        for item in self.waits(job_id, now_ms):
            if signal.call_id and item.call_id == signal.call_id:
                self.wake(item, message_id, now_ms)
                return
            # Where the clock that ended a wait is ahead of this one, the wait looks open, and is over.
            over = item.call_id in self.results[job_id]
            if not signal.call_id and item.event == signal.event and not over:
                self.put_results(job_id, {item.call_id: signal.outcome})
                self.wake(item, message_id, now_ms)
                return
        if not signal.call_id:
            at = f"{now_ms}:{signal.id}"
            self.events = {**self.events, job_id: {**self.events.get(job_id, {}), at: signal.event}}
            self.fields[f"event:{job_id}:{at}"] = signal.event

    def report(self, call_id: str, outcome: str, message_id: str, now_ms: int) -> None:
        """Put a child's end as the outcome of the call that started it."""
        parent_id = job_of_call(call_id)
        if parent_id not in self.jobs:
            return
        if call_id not in self.results.get(parent_id, {}):
            self.put_results(parent_id, {call_id: outcome})
        for item in self.waits(parent_id, now_ms):
            if item.call_id == call_id:
                self.wake(item, message_id, now_ms)
        self.settle(parent_id, message_id, now_ms)

    def begin_again(self, job_id: str, forgets: Sequence[str], *, from_start: bool) -> None:
        """Remove an ended job's open items, and the outcomes of the calls that run again.

        The release of the earlier run's workspace stays.
        """
        mine = [item for item in self.items.values() if item.job_id == job_id]
        self.drop_items(*[item.key for item in mine if item.kind is not ItemKind.RELEASE])
        self.forget_ends(self.news(job_id) if from_start else forgets)
        if job_id in self.child_usage:
            self.child_usage = {name: spend for name, spend in self.child_usage.items() if name != job_id}
            self.fields[f"child_usage:{job_id}"] = None
        known, again = self.results.get(job_id, {}), set(forgets)
        gone = [name for name in known if name in again or name.startswith("early:")]
        if gone:
            self.results = {**self.results, job_id: {name: text for name, text in known.items() if name not in gone}}
            self.new_results[job_id] = {**self.new_results.get(job_id, {}), **dict.fromkeys(gone)}
        self.expires_ms, self.tombstone, self.begins_again = 0, None, True

    def skip(self, skip: Skip) -> None:
        """Record a step as skipped."""
        job_id, record = job_of_call(skip.record.id), skip.record
        self.put_calls(job_id, record)
        self.add_parts(job_id, skip.parts)
        self.put_results(job_id, {record.id: skip.result})

    def admit(self, job_id: str, message_id: str, now_ms: int) -> None:
        """Grant the slot request: this message dispatches the work that waited for it; a sweep counts from now."""
        slot_state = self.slot_state(job_id)
        work = [
            replace(item, relay_id=message_id, since_ms=now_ms)
            for item in self.items.values()
            if item.job_id == job_id and item.kind in WORK_KINDS and not self.blocked(item)
        ]
        self.put_items(*work)
        self.put_slot_state(job_id, replace(slot_state, slot=slot_state.want == "slot"))
