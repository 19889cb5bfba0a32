"""The carrier rule of DESIGN 3, watched: each leg has, at every moment, a message under way that will bring it on."""

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from baton.core.admission import SWEEP
from baton.core.legs import FOREVER_MS, WORK_KINDS, Leg, LegKind, wish_key
from baton_events.ids import child_of, event_id
from tests.fakes import Tree
from tests.simulation.queue import Message

if TYPE_CHECKING:
    from tests.simulation.world import World

# Each leg is asked about at each settling.
_event_of = lru_cache(maxsize=4096)(event_id)


class Settled(Struct, frozen=True):
    """It is over with a message (`delivered`, `dead`, `cancelled`) or a call of the API (`over`); `late`: too late."""

    world: "World"
    what: str
    how: str
    trees: tuple[Tree, ...]


def every_leg_is_guaranteed(settled: Settled) -> str | None:
    """Each leg has a message under way: its carrier, or one that brings its event, or the callback of either.

    Work of a job without a slot is brought on by the job's wish, and a wish that waits in line by the admission; a
    wait without an end by the job that it waits for; a step of a plan by those that it depends on. What outlasted all
    of its messages in an outage, by the look whether the store is back, and by the sweep that this one asks for. Two
    things end this, and leave the leg to the sweep: a callback or a sweep whose own retries are used up, and what comes
    too late: a function that commits after the queue has given up waiting for it, a call of the API that outlives its
    witness and then dies, or cannot send what follows, or takes its witness back while that is being delivered.
    """
    world = settled.world
    for tree in settled.trees:
        for leg in tree.legs.values():
            if is_guaranteed(world, tree, leg):
                continue
            if settled.how in ("dead", "late"):
                world.excused.add(leg.key)
            elif leg.key not in world.excused and not world.excused.is_needless(tree, leg):
                return f"nothing brings {leg.key} on: {settled.what} is {settled.how}"
    return None


def _is_brought(world: "World", leg: Leg) -> bool:
    """Whether a message is under way to it. A call of the API that outlived its witness hands on what it commits."""
    queue = world.queue
    if leg.carrier in queue.live or queue.live_events.get(_event_of(leg.key), 0) > 0:
        return True
    # Its own message may have been taken back when the callback about it was under way already.
    if any(message.source is not None and message.source.id == leg.carrier for message in queue.live.values()):
        return True
    return queue.sent_by.get(leg.carrier) in world.calling  # and is asked again when it is over


def is_guaranteed(world: "World", tree: Tree, leg: Leg) -> bool:
    """Whether something is under way that will bring this leg of the tree on."""
    if _is_brought(world, leg) or _is_looked_for(world, leg):
        return True
    before = leg.after.split(",") if leg.after else []
    if any(other.call_id in before or other.asks_for in before for other in tree.legs.values()):
        return True
    if leg.kind is LegKind.WAIT and leg.not_before_ms >= FOREVER_MS:
        child = tree.jobs.get(child_of(leg.call_id, tree.jobs[leg.job_id].run))
        return child is not None and not child.ended
    standing = tree.standing(leg.job_id)
    if leg.kind is not LegKind.WISH:
        wish = tree.legs.get(wish_key(leg.job_id, standing.lap))
        return leg.kind in WORK_KINDS and not standing.slot and wish is not None
    entry = world.admission.entries.get(leg.job_id)
    if entry is None or (entry.lap, entry.want) != (leg.attempt, "slot"):
        return False
    has_giver = _still_speaks(world, entry.cause) if entry.cause else _is_submitted(world, leg.job_id)
    return not entry.slot or has_giver


def _is_looked_for(world: "World", leg: Leg) -> bool:
    """Whether somebody looks if the store is back, or has asked for the sweep then: it goes by the admission's book."""
    if leg.job_id not in world.admission.entries:
        return False
    return any(_will_look(world, message) for message in world.queue.live.values())


def _will_look(world: "World", message: Message) -> bool:
    """A look that comes again asks for no second sweep: the queue takes that for a repeat of the first one."""
    if message.kind == "look":
        return not world.queue.known(f"back.{json.loads(message.outgoing.body)['awayMs']}")
    return message.kind == "sweep" and message.by.startswith("look:")


def _is_submitted(world: "World", job_id: str) -> bool:
    """Whether a call that outlived its witness has taken the slot itself: it hands on, and is asked again once over."""
    return any(name.startswith("submit:") and (name, job_id) in world.queue.sent_about for name in world.calling)


def _still_speaks(world: "World", giver: str) -> bool:
    """Whether the job by whose word a slot was given has not yet finished its word: it tells again until it has.

    A giver that a failover took back to before its word does not know whom to tell: the next sweep tells them. Of a
    slot that has been taken nobody speaks any more.
    """
    if giver == SWEEP:  # by whichever sweep, or by a start: either is repeated, and tells again
        sweeps = (message for message in world.queue.live.values() if message.kind == "sweep")
        return world.operator.at_work or any(message.id in world.delivery.begun for message in sweeps)
    said = world.admission.entries.get(giver)
    if said is not None and world.tree(giver).standing(giver).lap < said.lap and world.memory.struck(giver):
        return True
    if giver in world.tree(giver).jobs:
        return any(leg.kind is LegKind.WISH and leg.job_id == giver for leg in world.tree(giver).legs.values())
    return any(message.job_id == giver for message in world.queue.live.values())


ON_SETTLE = (every_leg_is_guaranteed,)
