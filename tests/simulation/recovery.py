"""What must hold 75 minutes after the last fault, by name, like invariants.py: nothing is left to a sweep any more.

By then an hourly sweep has found whatever nobody brought on, so each step that may go on has gone on. What recovers
sooner is held by the invariants that are checked at each moment: they need no sweep, and excuse nothing but by name.
"""

from typing import TYPE_CHECKING

from baton.engine.work_items import ItemKind, WorkItem
from tests.fakes import Tree
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
