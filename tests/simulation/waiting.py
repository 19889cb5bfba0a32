"""What must hold of waits and of jobs below others, by name, like invariants.py; written from docs/decisions.

ON_WAITS: at each write of the store, in worlds whose jobs wait. ON_ANSWER: when somebody outside was answered.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baton.engine.commit.answers import Verdict
from baton.engine.commit.tree import Tree
from baton.engine.work_items import ItemKind, WorkItem, slot_request_key
from baton.sdk.records.transcript import FOREVER_MS
from baton.testing.asgi import Answer
from baton.worker.commands.backup import BACKED_UP_MS
from baton_events.ids import child_of, job_of_call
from tests.simulation.background import is_forgotten, never_went_on
from tests.simulation.constants import KEEP_SLOT_SECONDS
from tests.simulation.invariants import Write
from tests.simulation.objects import whole_texts
from tests.simulation.watching import at, of

if TYPE_CHECKING:
    from tests.simulation.outside import Sent
    from tests.simulation.world import World


def parent_of(job_id: str) -> str:
    return job_id.rpartition(".")[0]


def child_in(tree: Tree, call_id: str) -> str:
    """The id of the job that a call starts in the run in which its job is."""
    job = tree.jobs.get(job_of_call(call_id))
    return child_of(call_id, job.run if job else 1)


def _latest_ms(world: "World") -> int:
    """What the fastest clock says."""
    return world.now_ms() + world.plan.skew_ms


def _open_waits(world: "World", tree: Tree) -> Iterator[WorkItem]:
    """The waits that nothing has ended, by any clock."""
    now_ms = _latest_ms(world)
    return (item for item in tree.items.values() if item.kind is ItemKind.WAIT and item.not_before_ms > now_ms)


# At each write.


def nobody_waits_for_what_has_come(write: Write) -> str | None:
    """An outcome or an event that is recorded ends a wait at once, whichever of both came first."""
    for item in _open_waits(write.world, write.after):
        kept = write.after.events.get(item.job_id, {}).values()
        results = write.after.results.get(item.job_id, {})
        if item.call_id in results or f"early:{item.call_id}" in results or (item.event and item.event in kept):
            return f"{item.key} waits on after {write.op}, though it has come: {item}"
    return None


def an_event_ends_at_most_one_wait(write: Write) -> str | None:
    """Of those who wait for an event of a name, one gets it."""
    for job_id, results in write.after.results.items():
        if results is write.before.results.get(job_id):
            continue
        sent = whole_texts(write.world, {name: text for name, text in results.items() if "said" in text})
        found = [text for name, text in sent.items() if '"said":' in text and not name.startswith("event:")]
        if len(set(found)) != len(found):
            return f"{write.op} gives an event of {job_id} to two waits: {found}"
    return None


def no_wait_ends_early(write: Write) -> str | None:
    """A wait is over when its time is up, or something has come for it."""
    if write.claim is None or write.answer.verdict is not Verdict.GRANTED:
        return None
    item = write.before.items[write.claim.item_key]
    if item.kind is not ItemKind.WAIT or item.call_id in write.before.results.get(item.job_id, {}):
        return None
    if item.not_before_ms == 0 or item.not_before_ms > _latest_ms(write.world):
        return f"{item.key} is over, and nothing has come for it: {item}"
    return None


def who_only_waits_wants_no_slot(write: Write) -> str | None:
    """A job that waits for longer than a slot is kept for it requests none."""
    soon_ms = _latest_ms(write.world) + KEEP_SLOT_SECONDS * 1000
    steps: dict[str, list[WorkItem]] = {}
    for item in write.after.items.values():
        if item.kind is not ItemKind.SLOT_REQUEST:
            steps.setdefault(item.job_id, []).append(item)
    for job_id, items in steps.items():
        waits = all(item.kind is ItemKind.WAIT and item.not_before_ms > soon_ms for item in items)
        if waits and write.after.slot_state(job_id).want == "slot":
            return f"{job_id} only waits after {write.op}, and wants a slot: {items}"
    return None


def who_wants_no_slot_holds_none(write: Write) -> str | None:
    """Once its word was heard the slot is somebody else's."""
    if write.claim is None or not write.claim.item_key.startswith("slot_request:"):
        return None
    job_id = write.claim.job_id
    slot_state, entry = write.after.slot_state(job_id), write.world.admission.entries.get(job_id)
    if slot_state.want == "slot" or entry is None or not entry.slot or write.world.memory.struck(job_id):
        return None
    if entry.epoch <= slot_state.epoch and slot_request_key(job_id, slot_state.epoch) not in write.after.items:
        return f"{job_id} wants {slot_state.want}, and holds a slot: {entry}"
    return None


def children_end_with_their_parent(write: Write) -> str | None:
    """Whoever ends takes all below with it, in the same script."""
    for job_id, job in write.after.jobs.items():
        parent = write.after.jobs.get(parent_of(job_id))
        if parent is not None and parent.ended and not job.ended:
            return f"{parent.id} is {parent.status} after {write.op}, and {job_id} lives on"
    return None


def who_ends_gives_its_slot_back(write: Write) -> str | None:
    for job_id, job in write.after.jobs.items():
        if job.ended and write.after.slot_state(job_id).want != "gone":
            return f"{job_id} is {job.status} after {write.op}, and wants {write.after.slot_state(job_id)}"
    return None


def a_childs_end_is_recorded_at_its_parent(write: Write) -> str | None:
    """In the same script, as the outcome of the call that started it."""
    for job_id, job in write.after.jobs.items():
        before, parent = write.before.jobs.get(job_id), write.after.jobs.get(parent_of(job_id))
        if not job.ended or (before and before.ended) or parent is None or parent.ended:
            continue
        if job.parent_call not in write.after.results.get(parent.id, {}):
            return f"{job_id} is {job.status} after {write.op}, and {job.parent_call} has no outcome"
    return None


def who_waits_without_end_has_a_child(write: Write) -> str | None:
    """A wait without an end of its own has no message, so the job for which it waits must live."""
    for item in write.after.items.values():
        if item.kind is ItemKind.WAIT and item.not_before_ms >= FOREVER_MS:
            child = write.after.jobs.get(child_in(write.after, item.call_id))
            if child is None or child.ended:
                return f"{item.key} waits without end after {write.op}, and its job is {child}"
    return None


ON_WAITS = (
    of("items results events", nobody_waits_for_what_has_come),
    of("results", an_event_ends_at_most_one_wait),
    at("claim", no_wait_ends_early),
    of("items", who_only_waits_wants_no_slot),
    at("commit", who_wants_no_slot_holds_none),
    of("jobs", children_end_with_their_parent),
    of("jobs", who_ends_gives_its_slot_back),
    of("jobs", a_childs_end_is_recorded_at_its_parent),
    of("jobs items", who_waits_without_end_has_a_child),
)


# When somebody outside was answered.


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to `complete`, `event` or `look`; `young`: a read may not show yet what it is about."""

    world: "World"
    kind: str
    shown: "Sent"
    answer: Answer
    faulty: bool
    young: bool
    caller: str = ""

    @property
    def forgotten(self) -> bool:
        return self.world.memory.lost_writes(self.shown.job_id, self.shown.requested_at)

    @property
    def came_back(self) -> bool:
        """Whether somebody may have retried or deleted the job meanwhile: what was recorded of a call may be gone."""
        returns, root = self.world.returns, self.shown.job_id.split(".")[0]
        return returns.requested[root] > 0 or root in returns.deleting

    @property
    def refused(self) -> bool:
        if self.kind == "complete":
            return self.answer.status == 200 and not self.applied
        return self.kind == "event" and self.answer.status == 409

    @property
    def applied(self) -> bool:
        if self.kind == "event":
            return self.answer.status == 202
        return self.answer.status == 200 and bool(json.loads(self.answer.body)["applied"])


def an_answer_to_those_outside_is_a_known_one(found: Answered) -> str | None:
    """Taken in, refused because the job has ended, or not now; unknown only where it is forgotten, or just there.

    Where tenants have a quota, an event is refused once it is full; an outcome never is, since a call waits for it.

    What a failover forgot may never be made again, since its turn is asked anew, and may want something else, or since
    its job has ended before: a job below another one, and a call.
    """
    known = {"complete": (200, 503), "event": (202, 409, 503), "look": (200, 503)}[found.kind]
    if found.kind == "event" and found.answer.status == 429:
        return None if found.world.plan.bytes_kept else f"{found.shown}: {found.answer}"
    if found.answer.status in (404, 410) and found.shown.job_id.split(".")[0] in found.world.returns.deleting:
        return None
    unseen = found.answer.status == 404 and (found.young or is_forgotten(found.world, found.shown))
    return None if found.answer.status in known or unseen else f"{found.shown}: {found.answer}"


def what_was_taken_in_is_kept(found: Answered) -> str | None:
    """Who was told that it counts was told the truth: it is recorded; an event is kept, or has ended a wait."""
    if found.kind == "look" or not found.applied or found.forgotten or found.came_back:
        return None
    tree, shown = found.world.tree(found.shown.job_id), found.shown
    results = whole_texts(found.world, tree.results.get(shown.job_id, {}))
    if shown.call_id:
        right = shown.outcome in (results.get(shown.call_id), results.get(f"early:{shown.call_id}"))
    else:
        kept = [at.partition(":")[2] for at in tree.events.get(shown.job_id, {})]
        ended = any(text == shown.outcome for name, text in results.items() if not name.startswith("event:"))
        right = ended or any(results.get(f"event:{fact}") == shown.outcome for fact in kept)
    return None if right else f"{shown} was said to count; recorded is {results}, kept {tree.events.get(shown.job_id)}"


def what_is_refused_does_not_count(found: Answered) -> str | None:
    """Who was told that it does not count was told the truth: something else came first, or the job has ended."""
    if not found.refused or found.forgotten or found.came_back:
        return None
    tree, shown = found.world.tree(found.shown.job_id), found.shown
    job, results = tree.jobs.get(shown.job_id), whole_texts(found.world, tree.results.get(shown.job_id, {}))
    recorded = results.get(shown.call_id, results.get(f"early:{shown.call_id}", ""))
    if (job is not None and job.ended) or never_went_on(found.world, shown.job_id):
        return None
    return (
        None
        if shown.call_id and recorded not in ("", shown.outcome)
        else f"{shown} was refused; recorded is {recorded}"
    )


def what_is_refused_leaves_no_backup(found: Answered) -> str | None:
    """It is taken back, unless the call was so slow, or so faulty, that it may be under way.

    That of an operation which a completion has created stays.
    """
    if not found.refused or found.faulty or found.world.loop.seconds - found.shown.requested_at > BACKED_UP_MS / 1000:
        return None
    mine = [m for m in found.world.queue.live.values() if m.kind == "witness" and m.by == found.caller]
    left = [m.name for m in mine if '"kind":"submit"' not in m.outgoing.body]
    return f"{found.shown} was refused, and {left} will tell it" if left else None


def what_it_waits_for_is_the_truth(found: Answered) -> str | None:
    """A job that only waits says so: for an event of a name, a time, or a job that lives."""
    if found.kind != "look":
        return None
    world, view = found.world, json.loads(found.answer.body)
    tree, job_id = world.tree(found.shown.job_id), found.shown.job_id
    items = [item for item in tree.items.values() if item.job_id == job_id and item.kind is not ItemKind.SLOT_REQUEST]
    if bool(view["waitingFor"]) == tree.jobs[job_id].ended:
        return f"{job_id} is {view['status']} and waits for {view['waitingFor']}"
    if not items or not all(item.kind is ItemKind.WAIT and item.not_before_ms > _latest_ms(world) for item in items):
        return None
    first = min(items, key=lambda item: item.not_before_ms)
    named = child_in(tree, first.call_id) if first.not_before_ms >= FOREVER_MS else first.event or first.tool
    right = view["status"] == "waiting" and any(_shown(view["waitingFor"], tree, item, named) for item in items)
    return None if right else f"{job_id} is {view['status']}, waits for {view['waitingFor']}; its waits are {items}"


def _shown(line: str, tree: Tree, item: WorkItem, named: str) -> bool:
    same_child = child_in(tree, item.call_id) in line and job_of_call(item.call_id) == item.job_id
    return same_child or named in line


ON_ANSWER = (
    an_answer_to_those_outside_is_a_known_one,
    what_was_taken_in_is_kept,
    what_is_refused_does_not_count,
    what_is_refused_leaves_no_backup,
    what_it_waits_for_is_the_truth,
)
