"""What must hold 75 minutes after the last fault, and soon after an outage; by name, like invariants.py.

By then an hourly sweep has found whatever nobody brought on, so each step that may go on has gone on. What recovers
sooner is held by the invariants that are checked at each moment: they need no sweep, and excuse nothing but by name.
After an outage each job goes on within two minutes. Nothing is excused, however long the store or the queue was away;
but where the queue took nothing and yet delivered, the bound is that of the hourly sweep.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from baton.engine.commit.tree import Tree
from baton.engine.work_items import ItemKind, WorkItem
from tests.simulation.constants import BACK_SECONDS
from tests.simulation.excuses import LEFT_SECONDS
from tests.simulation.guarantee import is_guaranteed

if TYPE_CHECKING:
    from tests.simulation.world import World


def nothing_is_left_to_a_sweep(world: "World") -> str | None:
    """Each step of each job has a message under way, or waits for one that has."""
    for root, tree in world.trees.items():
        for item in tree.items.values():
            if not _is_left(world, root, tree, item) and not is_guaranteed(world, tree, item):
                return f"nothing brings {item.key} on, so long after the last fault: {item}"
    return None


def every_step_goes_on(world: "World") -> str | None:
    """No step that could have gone on since the last fault, or before it, is still where it was."""
    for root, tree in world.trees.items():
        for item in tree.items.values():
            waited_seconds = world.loop.seconds - max(world.plan.calm_at, _due_at(world, item))
            if may_continue(tree, item) and waited_seconds >= LEFT_SECONDS and not _is_left(world, root, tree, item):
                return f"{item.key} could go on {waited_seconds:.0f} s ago, and has not: {item}"
    return None


def _is_left(world: "World", root: str, tree: Tree, item: WorkItem) -> bool:
    return _is_given_up(world, root) or world.excused.is_needless(tree, item)


def _is_given_up(world: "World", root: str) -> bool:
    """Without the hourly sweep nobody comes for what is left to it."""
    return not world.plan.backstop and root in world.excused.roots | world.delivery.lost


def _due_at(world: "World", item: WorkItem) -> float:
    return (max(item.not_before_ms, item.since_ms) - world.epoch_ms) / 1000


def may_continue(tree: Tree, item: WorkItem) -> bool:
    """Whether nothing but time is needed: work needs a slot, a step those before it, and a slot somebody who ends."""
    if item.kind is ItemKind.SLOT_REQUEST:
        return item.want != "slot"
    return not item.after and (not item.needs_slot or tree.slot_state(item.job_id).slot)


ON_CALM = (nothing_is_left_to_a_sweep, every_step_goes_on)


@dataclass(frozen=True, slots=True)
class AfterOutage:
    """An outage has been over for so long; the steps that could go on at its end."""

    world: "World"
    seconds: float
    steps: dict[str, WorkItem]


class Back:
    """Watches the ends of one world's outages. Where another one begins within the bound, only that one's end counts.

    After a time in which the queue took nothing and yet delivered, messages and callbacks may all be used up, and no
    process left that could ask for a sweep: there the bound is that of the hourly one. It is the bound, too, where a
    host has few places: whoever finds none comes again later and later.
    """

    def __init__(self, world: "World") -> None:
        self._world = world

    def watch(self) -> None:
        world = self._world
        outages = world.faults.outages if world.plan.away else ()
        for over in sorted({outage.ends for outage in outages}):
            seconds = self._bound(over)
            if seconds and not any(one.begins <= over + seconds and one.ends > over for one in outages):
                world.loop.call_at(over, self._is_over, seconds)

    def _bound(self, over: float) -> float:
        """Within how long jobs go on after this end; 0: nobody comes for what is left to the hourly sweep."""
        world = self._world
        usual = LEFT_SECONDS if world.plan.places or world.plan.call_limits else BACK_SECONDS
        refused = [outage.ends for outage in world.faults.outages if outage.refuses and outage.ends <= over]
        if not world.plan.backstop:
            return 0.0 if refused else usual
        return LEFT_SECONDS if any(world.excused.over_at(ends) >= over for ends in refused) else usual

    def _is_over(self, seconds: float) -> None:
        world = self._world
        items = (item for tree in world.trees.values() for item in tree.items.values())
        steps = {item.key: item for item in items if _could_go_on(world, item)}
        world.loop.call_later(seconds, self._check, AfterOutage(world, seconds, steps))

    def _check(self, over: AfterOutage) -> None:
        self._world.check(ON_BACK, over)


def every_job_goes_on_after_an_outage(over: AfterOutage) -> str | None:
    """Each step that could go on when it ended has been begun, or is done."""
    for key, item in over.steps.items():
        now = over.world.tree(item.job_id).items.get(key)
        if now is not None and (now.owner, now.claimed_ms, now.lease_until_ms) == _held(item):
            return f"{key} could go on {over.seconds:.0f} s ago, and has not: {now}"
    return None


def _held(item: WorkItem) -> tuple[str, int, int]:
    return item.owner, item.claimed_ms, item.lease_until_ms


def _could_go_on(world: "World", item: WorkItem) -> bool:
    """Whether its time has come, and it needs nobody else; a request has its place in the slot table, or is told it.

    A job is created as one with a slot. Where that could not be corrected, its entry says that it is in line.
    """
    if item.not_before_ms > world.now_ms():
        return False
    entry = world.admission.entries.get(item.job_id)
    if item.kind is not ItemKind.SLOT_REQUEST or item.want != "slot":
        in_line = entry is not None and entry.want == "slot" and not entry.slot
        return may_continue(world.tree(item.job_id), item) and not (item.needs_slot and in_line)
    return entry is None or (entry.epoch, entry.want) != (item.attempt, "slot") or entry.slot


ON_BACK = (every_job_goes_on_after_an_outage,)
