"""The relay rule, watched: each item has, at every moment, a message under way that will bring it on.

Who goes on in place is carried: a crash at any moment of it brings the message that it handles back.
Source: decisions/0005-relay-messages.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.all_jobs.slots import BY_SWEEP
from baton.engine.commit.answers import Claim, Committed
from baton.engine.commit.tree import Tree
from baton.engine.work_items import ItemKind, WorkItem, slot_request_key
from baton.sdk.records.transcript import FOREVER_MS
from baton_events.ids import child_of, event_id
from tests.simulation.invocation import Invocation
from tests.simulation.queue import Message

if TYPE_CHECKING:
    from tests.simulation.world import World

# Each work item is asked about at each settling.
_event_of = lru_cache(maxsize=4096)(event_id)


class Settled(Struct, frozen=True):
    """It is over with a message (`delivered`, `dead`, `cancelled`) or a call of the API (`over`); `late`: too late."""

    world: "World"
    what: str
    how: str
    trees: tuple[Tree, ...]


def every_item_is_guaranteed(settled: Settled) -> str | None:
    """Each work item has a message under way: its relay, or one that brings its event, or the callback of either.

    Work of a job without a slot is brought on by the job's slot request, and a slot request that waits in line by the
    admission; a wait without an end by the job that it waits for; a step of a plan by those that it depends on. What
    outlasted all of its messages in an outage, by the look whether the store is back, and by the sweep that this one
    asks for. Two things end this, and leave the work item to the sweep: a callback or a sweep whose own retries are
    used up, and what comes too late: a function that commits after the queue has given up waiting for it, a call of the
    API that outlives its backup message and then dies, or cannot send what follows, or takes its backup message back
    while that is being delivered. What is left so is not left to a sweep that has begun, and may be past it.
    """
    world, is_left = settled.world, settled.how in ("dead", "late")
    for tree in settled.trees:
        for item in tree.items.values():
            if is_guaranteed(world, tree, item, may_have_begun=not is_left):
                continue
            if is_left:
                world.excused.add(item.key)
            elif item.key not in world.excused and not world.excused.is_needless(tree, item):
                return f"nothing brings {item.key} on: {settled.what} is {settled.how}"
    return None


def _is_brought(world: "World", item: WorkItem) -> bool:
    """Whether a message is under way to it. A call of the API that outlived its backup dispatches what it commits."""
    queue = world.queue
    if item.relay_id in queue.live or queue.live_events.get(_event_of(item.key), 0) > 0:
        return True
    # Its own message may have been taken back when the callback about it was under way already.
    if any(item.relay_id in _spoken_for(message) for message in queue.live.values()):
        return True
    return queue.sent_by.get(item.relay_id) in world.calling  # and is asked again when it is over


def _spoken_for(message: Message) -> Iterator[str]:
    """Yield the messages whose items this one brings on: what a callback is about, what a sweep's page continues."""
    if message.source is not None:
        yield message.source.id
    if message.kind == "sweep" and "relayId" in message.outgoing.body:
        yield json.loads(message.outgoing.body)["relayId"]


def is_guaranteed(world: "World", tree: Tree, item: WorkItem, *, may_have_begun: bool = True) -> bool:
    """Whether something is under way that will bring this work item of the tree on.

    `may_have_begun`: also a sweep that a look has asked for, and that is at work.
    """
    if _is_brought(world, item) or _is_looked_for(world, item, may_have_begun=may_have_begun):
        return True
    before = item.after.split(",") if item.after else []
    if any(other.call_id in before or other.approval_of_call in before for other in tree.items.values()):
        return True
    if item.kind is ItemKind.WAIT and item.not_before_ms >= FOREVER_MS:
        child = tree.jobs.get(child_of(item.call_id, tree.jobs[item.job_id].run))
        return child is not None and not child.ended
    slot_state = tree.slot_state(item.job_id)
    if item.kind is not ItemKind.SLOT_REQUEST:
        slot_request = tree.items.get(slot_request_key(item.job_id, slot_state.epoch))
        return item.needs_slot and not slot_state.slot and slot_request is not None
    entry = world.admission.entries.get(item.job_id)
    if entry is None or (entry.epoch, entry.want) != (item.attempt, "slot"):
        return False
    has_giver = _still_speaks(world, entry.granted_by) if entry.granted_by else _is_submitted(world, item.job_id)
    return not entry.slot or has_giver


def _is_looked_for(world: "World", item: WorkItem, *, may_have_begun: bool) -> bool:
    """Whether somebody looks if the store is back, or has asked for the sweep then: it goes by the slot table."""
    if item.job_id not in world.admission.entries:
        return False
    looks = (message for message in world.queue.live.values() if _will_look(world, message))
    return any(may_have_begun or one.kind == "look" or one.id not in world.delivery.begun for one in looks)


def _will_look(world: "World", message: Message) -> bool:
    """A look that comes again asks for no second sweep: the queue takes that for a repeat of the first one."""
    if message.kind == "look":
        return not world.queue.known(f"back.{json.loads(message.outgoing.body)['awayMs']}")
    return message.kind == "sweep" and message.by.startswith("look:")


def _is_submitted(world: "World", job_id: str) -> bool:
    """Whether a call that outlived its backup has taken the slot itself: it dispatches, and is asked once over."""
    return any(name.startswith("submit:") and (name, job_id) in world.queue.sent_about for name in world.calling)


def _still_speaks(world: "World", giver: str) -> bool:
    """Whether the job by whose word a slot was given has not yet finished its word: it tells again until it has.

    A giver that a failover took back to before its word does not know whom to tell: the next sweep tells them. Of a
    slot that has been taken nobody speaks any more.
    """
    if giver == BY_SWEEP:  # by whichever sweep, or by a start: either is repeated, and tells again
        sweeps = (message for message in world.queue.live.values() if message.kind == "sweep")
        return world.operator.at_work or any(message.id in world.delivery.begun for message in sweeps)
    shown = world.admission.entries.get(giver)
    if shown is not None and world.tree(giver).slot_state(giver).epoch < shown.epoch and world.memory.struck(giver):
        return True
    if giver in world.tree(giver).jobs:
        return any(
            item.kind is ItemKind.SLOT_REQUEST and item.job_id == giver for item in world.tree(giver).items.values()
        )
    return any(message.job_id == giver for message in world.queue.live.values())


ON_SETTLE = (every_item_is_guaranteed,)


@dataclass(frozen=True, slots=True)
class GoesOn:
    """A COMMIT has claimed what follows for who made it."""

    world: "World"
    who: Invocation
    claim: Claim
    committed: Committed


@dataclass(frozen=True, slots=True)
class Begins:
    """A CLAIM has claimed a work item for who made it."""

    world: "World"
    who: Invocation
    claim: Claim
    tree: Tree


def what_goes_on_in_place_is_guaranteed(goes_on: GoesOn) -> str | None:
    """The queue still has the message, and delivers it again where nobody says that all is done.

    Not where a failover forgot that it has been told to somebody else; nor where the message was taken back, or a
    command reaches the store a second time when its sender has long answered: nobody works on what that claims. Nor in
    what follows of a fact or a look that came late.
    """
    who, late = goes_on.who, goes_on.world.excused.came_late
    items = [claim_result.state.item for claim_result in goes_on.committed.claimed if claim_result.state]
    if goes_on.claim.item_key in late:
        late.update(item.key for item in items)
        return None
    if _is_guaranteed_in_place(goes_on.world, who, goes_on.claim):
        return None
    unknown = [item.key for item in items if not item.redelivered]  # a repeated COMMIT is told of what it has claimed
    return f"{who.name} goes on with {', '.join(unknown)}, and the queue no longer has its message" if unknown else None


def what_begins_is_guaranteed(begins: Begins) -> str | None:
    """The same, where it has asked for a work item: also another message may bring that on, if this one is over.

    Whom the queue has given up may come too late, and so may a fact or a look: that is left to the sweep.
    """
    who, key, tree = begins.who, begins.claim.item_key, begins.tree
    if key in begins.world.excused.came_late or who.zombie or _is_guaranteed_in_place(begins.world, who, begins.claim):
        return None
    if is_guaranteed(begins.world, tree, tree.items[key]):
        return None
    return f"{who.name} begins {key}, and the queue no longer has its message"


def _is_guaranteed_in_place(world: "World", who: Invocation, claim: Claim) -> bool:
    excused = who.over or who.abandoned or world.memory.lost_writes(claim.job_id)
    return excused or claim.message_id in world.queue.live


def is_only_marked(before: Tree, after: Tree) -> bool:
    """Whether nothing else has changed than what is dispatched."""
    return _without_marks(before) == _without_marks(after)


def _without_marks(tree: Tree) -> Tree:
    return replace(tree, items={key: replace(item, redelivered=False) for key, item in tree.items.items()})


ON_GOING_ON = (what_goes_on_in_place_is_guaranteed,)
ON_BEGINNING = (what_begins_is_guaranteed,)
