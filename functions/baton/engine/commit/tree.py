"""The data under one hash tag, as far as a step reads it: a job, its children, and all that belongs to them.

Invariant: a Tree never changes; a step changes a draft of it (draft.py).
"""

from collections.abc import Container
from operator import attrgetter
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry, SlotState, Want
from baton.engine.commit.answers import Tombstone
from baton.engine.state import BudgetScope, CallRecord, Job, Usage
from baton.engine.waits import LIMIT_APPROVAL
from baton.engine.work_items import FOLLOW_UP_MS, FOLLOW_UPS, ItemKind, WorkItem, blocked, slot_request_key
from baton.sdk.records.limits import NOTHING_SPENT, Spend
from baton.sdk.records.transcript import FOREVER_MS
from baton_events.ids import job_of_call, step_number

# The slot state of a job without an update yet: its first want is new, whatever it is.
NO_SLOT_STATE = SlotState(cast("Want", ""), -1)
_KEY = attrgetter("key")


class Tree(Struct):
    """One tag's data. `expires_ms`: when it goes, once the root has ended; 0: never. `tombstone`: left then.

    `events`: by job, events that no wait has taken yet: "TIME:FACT" → the event's name.
    `messages`: by job, messages of its user while it ran: "TIME:ID" → the transcript's entry; empty: it is there.
    `ended`: by call of a job that runs code, when it ended, in ms: news that no turn of the job has taken yet.
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
    ended: dict[str, str] = field(default_factory=dict[str, str])
    placed: dict[str, str] = field(default_factory=dict[str, str])
    expires_ms: int = 0
    tombstone: Tombstone | None = None

    def kept_ms(self, ended_ms: int, retention_ms: int) -> int:
        """Return how long an ended tree is kept from then on: what still waits for it adds its wait."""
        waits = [until_ms - ended_ms for until_ms in self.needed_until.values()]
        follows = any(item.kind in FOLLOW_UPS for item in self.items.values())
        return max(retention_ms + max([0, *waits]), FOLLOW_UP_MS if follows else 0)

    def pending(self, message_id: str, now_ms: int, but: Container[str] = ()) -> tuple[WorkItem, ...]:
        """Return the work items that a message must dispatch, in the order of their keys."""
        mine = [item for item in self.items.values() if item.relay_id == message_id and item.key not in but]
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

    def budget_scopes(self, item: WorkItem, now_ms: int) -> tuple[BudgetScope, ...]:
        """Return the job of a turn and those above it, with the usage and reservations below each."""
        if item.kind is not ItemKind.LOOP:
            return ()
        names = [item.job_id, *[name for name in above(item.job_id) if name in self.jobs]]
        return tuple(
            [
                BudgetScope(
                    self.jobs[name], self.child_usage.get(name, NOTHING_SPENT), self._reserved(name, item, now_ms)
                )
                for name in names
            ]
        )

    def _reserved(self, name: str, but: WorkItem, now_ms: int) -> int:
        # The model call is in progress here, or offloaded.
        live = [
            self.jobs[item.job_id].reserve_tokens
            for item in self.items.values()
            if item.kind is ItemKind.LOOP
            and item.key != but.key
            and item.job_id.startswith(f"{name}.")
            and ((item.owner and item.lease_until_ms > now_ms) or item.offloaded)
        ]
        return sum(live)

    def gated(self, item: WorkItem, now_ms: int) -> bool:
        """Return whether a work item needs a slot that its job lacks, and is due or waits for the slot request."""
        if not item.needs_slot:
            return False
        slot_state = self.slot_state(item.job_id)
        return not slot_state.slot and (item.not_before_ms <= now_ms or slot_state.want == "slot")

    def slot_state(self, job_id: str) -> SlotState:
        return self.slot_states.get(job_id, NO_SLOT_STATE)

    def waits(self, job_id: str, now_ms: int) -> list[WorkItem]:
        """Return the waits of a job that are not over, in the order of their keys."""
        mine = (item for item in self.items.values() if item.kind is ItemKind.WAIT and item.job_id == job_id)
        return sorted((item for item in mine if item.not_before_ms > now_ms), key=_KEY)

    def news(self, job_id: str) -> dict[str, str]:
        """Return the calls of a job whose ends no turn has taken yet, the first one first."""
        mine = [name for name in self.ended if job_of_call(name) == job_id]
        return {name: self.ended[name] for name in sorted(mine, key=lambda name: (int(self.ended[name]), name))}

    def steps(self, job_id: str, numbers: Container[int]) -> dict[str, list[WorkItem]]:
        """Return the open work items of these steps of a job's code, by call."""
        found: dict[str, list[WorkItem]] = {}
        for item in self.items.values():
            name = item.approval_of_call or item.call_id
            if item.job_id == job_id and name and step_number(name) in numbers:
                found.setdefault(name, []).append(item)
        return found

    def has_turn(self, job_id: str) -> bool:
        """Return whether a turn of the job is open, or asks a person about its limit."""
        return any(
            item.job_id == job_id and (item.kind is ItemKind.LOOP or item.tool == LIMIT_APPROVAL)
            for item in self.items.values()
        )

    def message(self, job_id: str, name: str) -> str | None:
        """Return the message of this id to a job; empty: it is in the transcript. None: there is none."""
        messages = self.messages.get(job_id, {}).items()
        return next((text for at, text in messages if at.partition(":")[2] == name), None)

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
        """Return the time of the job's last slot request, of its submission, or of its end."""
        job = self.jobs[job_id]
        ended_ms = self.usage[job_id].updated_ms if job.ended else 0
        return max(self.slot_state(job_id).epoch, job.created_at_ms, ended_ms)

    def is_relayed(self, job_id: str, message_id: str) -> bool:
        """Return whether this message is the relay of one of the job's work items."""
        return any(item.job_id == job_id and item.relay_id == message_id for item in self.items.values())

    def is_over(self, root_id: str) -> bool:
        """Return whether the root has ended, and nothing more can come of those below it."""
        return root_id in self.jobs and self.jobs[root_id].ended

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


def above(job_id: str) -> list[str]:
    """Return the ids of the jobs above this one, the nearest first."""
    names = list[str]()
    while "." in job_id:
        job_id, _, _ = job_id.rpartition(".")
        names.append(job_id)
    return names
