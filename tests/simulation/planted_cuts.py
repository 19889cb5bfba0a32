"""Defects about messages that come again while their first delivery goes on: the queue has lost the connection."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.core.legs import Leg
from baton.engine import claiming, operations
from baton.ports import Committed
from baton.runtime import pipeline
from baton.runtime.run import Run
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, constant, replaced


def _unmarked(tree: Tree, leg: Leg, *_: Any, **__: Any) -> tuple[Tree, Leg]:
    return tree, leg


def _forgetting(claimed: Callable[..., tuple[Tree, Leg]]) -> Callable[..., tuple[Tree, Leg]]:
    def forgetting(claim: Any, tree: Tree, leg: Leg) -> tuple[Tree, Leg]:
        return claimed(claim, tree, replace(leg, handed_on=False))

    return forgetting


def _for_others_only(refused: Callable[..., Any]) -> Callable[..., Any]:
    def for_others(tree: Tree, claim: Any, leg: Leg, verdict: Any) -> Any:
        return refused(tree, claim, replace(leg, carrier=""), verdict)

    return for_others


def _any_leg(may_continue: Callable[..., bool]) -> Callable[..., bool]:
    def may(self: pipeline.Pipeline, run: Run, leg: Leg, *arguments: Any, **named: Any) -> bool:
        return may_continue(self, run, replace(leg, handed_on=False), *arguments, **named)

    return may


def _claimed_only(handed_on: Callable[..., Any]) -> Callable[..., Any]:
    def claimed_only(*arguments: Any, free: bool = False) -> Any:
        del free
        return handed_on(*arguments)

    return claimed_only


def _unmarked_after(going_on: Callable[..., tuple[Tree, Committed]]) -> Callable[..., tuple[Tree, Committed]]:
    def unmarked(claim: Any, tree: Tree, *arguments: Any) -> tuple[Tree, Committed]:
        before = tree.legs
        tree, committed = going_on(claim, tree, *arguments)
        told = {leg.key: before[leg.key] for leg in committed.carried if not leg.owner}
        return replace(tree, legs=tree.legs | told), committed

    return unmarked


_INVARIANT = "who_goes_on_is_carried"

DEFECTS = (
    Defect(
        "a COMMIT goes on though its leg has been handed on",
        _INVARIANT,
        (constant(claiming, "is_released", answer=False),),
        cuts=True,
    ),
    Defect(
        "what follows of who is released is not marked as handed on",
        "what_begins_is_guaranteed",
        (Patch(operations, "going_on", _unmarked_after),),
        cuts=True,
    ),
    Defect(
        "who works does not learn that its message came again",
        _INVARIANT,
        (replaced(claiming, "released", _unmarked),),
        cuts=True,
    ),
    Defect(
        "who finds its own leg busy does not say so",
        _INVARIANT,
        (Patch(operations, "_refused", _for_others_only),),
        cuts=True,
    ),
    Defect(
        "what nobody has claimed yet is not marked as handed on",
        _INVARIANT,
        (Patch(operations, "handed_on", _claimed_only),),
        waits=True,
        cuts=True,
    ),
    Defect(
        "the same message gets back what it has handed on",
        _INVARIANT,
        (Patch(claiming, "claimed", _forgetting),),
        cuts=True,
    ),
    Defect(
        "what somebody else hands on is begun in place",
        "what_begins_is_guaranteed",
        (Patch(pipeline.Pipeline, "_may_continue", _any_leg),),
        cuts=True,
    ),
)
