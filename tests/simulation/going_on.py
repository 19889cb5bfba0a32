"""Who goes on in place is carried: a crash at any moment of it brings the message that it handles back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.ports import Claim, Committed
from events.replacing import replace
from tests.fakes import Tree
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


def who_goes_on_is_carried(goes_on: GoesOn) -> str | None:
    """The queue still has the message, and delivers it again where nobody says that all is done.

    Not where a failover forgot that it has been told to somebody else; nor where the message was taken back, or a
    command reaches the store a second time when its sender has long answered: nobody works on what that claims.
    """
    world, who, claim = goes_on.world, goes_on.who, goes_on.claim
    if claim.message_id in world.queue.live or who.over or who.abandoned or world.memory.struck(claim.job_id):
        return None
    legs = [begun.state.leg for begun in goes_on.committed.claimed if begun.state]
    unknown = [leg.key for leg in legs if not leg.handed_on]  # a repeated COMMIT is told of what it has claimed
    return f"{who.name} goes on with {', '.join(unknown)}, and the queue no longer has its message" if unknown else None


def is_only_marked(before: Tree, after: Tree) -> bool:
    """Whether nothing else has changed than what is handed on."""
    return _without_marks(before) == _without_marks(after)


def _without_marks(tree: Tree) -> Tree:
    return replace(tree, legs={key: replace(leg, handed_on=False) for key, leg in tree.legs.items()})


ON_GOING_ON = (who_goes_on_is_carried,)
