"""Defects about messages that come again while their first delivery goes on: the queue has lost the connection."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine.commit import claiming, operations
from baton.engine.commit.answers import Committed
from baton.engine.work_items import WorkItem
from baton.runtime import pipeline
from baton.runtime.invocation import Invocation
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, constant, replaced


def _unmarked(tree: Tree, item: WorkItem, *_: Any, **__: Any) -> tuple[Tree, WorkItem]:
    return tree, item


def _forgetting(claimed: Callable[..., tuple[Tree, WorkItem]]) -> Callable[..., tuple[Tree, WorkItem]]:
    def forgetting(claim: Any, tree: Tree, item: WorkItem) -> tuple[Tree, WorkItem]:
        return claimed(claim, tree, replace(item, redelivered=False))

    return forgetting


def _for_others_only(refused: Callable[..., Any]) -> Callable[..., Any]:
    def for_others(tree: Tree, claim: Any, item: WorkItem, verdict: Any) -> Any:
        return refused(tree, claim, replace(item, relay_id=""), verdict)

    return for_others


def _any_item(may_continue: Callable[..., bool]) -> Callable[..., bool]:
    def may(self: pipeline.Pipeline, run: Invocation, item: WorkItem, *arguments: Any, **named: Any) -> bool:
        return may_continue(self, run, replace(item, redelivered=False), *arguments, **named)

    return may


def _claimed_only(dispatched: Callable[..., Any]) -> Callable[..., Any]:
    def claimed_only(*arguments: Any, free: bool = False) -> Any:
        del free
        return dispatched(*arguments)

    return claimed_only


def _unmarked_after(
    inline_continuation: Callable[..., tuple[Tree, Committed]],
) -> Callable[..., tuple[Tree, Committed]]:
    def unmarked(claim: Any, tree: Tree, *arguments: Any) -> tuple[Tree, Committed]:
        before = tree.items
        tree, committed = inline_continuation(claim, tree, *arguments)
        found = {item.key: before[item.key] for item in committed.pending if not item.owner}
        return replace(tree, items=tree.items | found), committed

    return unmarked


_INVARIANT = "what_goes_on_in_place_is_guaranteed"

DEFECTS = (
    Defect(
        "a COMMIT goes on though its work item has been dispatched",
        _INVARIANT,
        (constant(claiming, "is_released", answer=False),),
        cuts=True,
    ),
    Defect(
        "what follows of who is released is not marked as dispatched",
        "what_begins_is_guaranteed",
        (Patch(operations, "inline_continuation", _unmarked_after),),
        cuts=True,
    ),
    Defect(
        "who works does not learn that its message came again",
        _INVARIANT,
        (replaced(claiming, "released", _unmarked),),
        cuts=True,
    ),
    Defect(
        "who finds its own work item busy does not say so",
        _INVARIANT,
        (Patch(operations, "_refused", _for_others_only),),
        cuts=True,
    ),
    Defect(
        "what nobody has claimed yet is not marked as dispatched",
        _INVARIANT,
        (Patch(operations, "dispatched", _claimed_only),),
        waits=True,
        cuts=True,
    ),
    Defect(
        "the same message gets back what it has dispatched",
        _INVARIANT,
        (Patch(claiming, "claimed", _forgetting),),
        cuts=True,
    ),
    Defect(
        "what somebody else dispatches is begun in place",
        "what_begins_is_guaranteed",
        (Patch(pipeline.Pipeline, "_may_continue", _any_item),),
        cuts=True,
    ),
)
