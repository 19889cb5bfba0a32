"""Who goes on in place is carried: a crash at any moment of it brings the message that it handles back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, Committed
from tests.fakes import Tree
from tests.simulation.guarantee import is_guaranteed
from tests.simulation.invocation import Invocation

if TYPE_CHECKING:
    from tests.simulation.world import World


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
