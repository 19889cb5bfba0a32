"""Defects of jobs below others, caught in worlds whose jobs wait."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.engine import tool_call
from baton.engine.all_jobs import slots
from baton.engine.commit import operations, writing
from baton.engine.commit.answers import Claim
from baton.engine.effects import Changes, Decision
from baton.engine.work_items import ItemKind
from baton.executors import started_jobs
from baton.recovery import reconciler
from baton_events.ids import job_of_call
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, constant, in_waiting_worlds, replaced


def _as_it_was(self: Tree, *_arguments: Any) -> Tree:
    return self


def _recorded_only(_original: Any) -> Callable[..., Tree]:
    def recorded(self: Tree, call_id: str, outcome: str, _message_id: str, _now_ms: int) -> Tree:
        return self.with_result(job_of_call(call_id), call_id, outcome)

    return recorded


def _requesting_no_slot(without_children: Callable[..., Tree]) -> Callable[..., Tree]:
    def leaking(self: Tree, *rest: Any) -> Tree:
        tree = without_children(self, *rest)
        new = {key for key, item in tree.items.items() if item.kind is ItemKind.SLOT_REQUEST and key not in self.items}
        items = {key: item for key, item in tree.items.items() if key not in new}
        return structs.replace(tree, slot_states=self.slot_states, items=items)

    return leaking


def _starting_again(commit: Callable[..., Any]) -> Callable[..., Any]:
    def starting(tree: Tree, claim: Claim, changes: Changes, *rest: Any) -> tuple[Tree, Any]:
        tree, committed = commit(tree, claim, changes, *rest)
        child = changes.child
        if not committed.applied and child and child.job and child.job.id in tree.jobs:
            items = {
                **tree.items,
                **{item.key: structs.replace(item, relay_id=claim.message_id) for item in child.items},
            }
            tree = structs.replace(tree, items=items, jobs={**tree.jobs, child.job.id: child.job})
        return tree, committed

    return starting


def _remembering_forgotten(over: Callable[..., Any]) -> Callable[..., Any]:
    return lambda tree, reconciled, now_ms: over(tree, replace(reconciled, forgotten=()), now_ms)


def _nameless(waits: Callable[..., Decision]) -> Callable[..., Decision]:
    def nameless(*arguments: Any) -> Decision:
        changes = waits(*arguments).changes
        assert changes is not None, "a wait is recorded"
        return Decision(
            structs.replace(changes, calls=tuple(structs.replace(call, child="") for call in changes.calls))
        )

    return nameless


def _another_name(child_of: Callable[..., str]) -> Callable[..., str]:
    return lambda *call_and_run: f"{child_of(*call_and_run)}x"


DEFECTS = (
    in_waiting_worlds(
        "a child's end is not reported",
        "a_childs_end_is_recorded_at_its_parent",
        replaced(Tree, "reported", _as_it_was),
    ),
    in_waiting_worlds(
        "a child's end wakes nobody", "nobody_waits_for_what_has_come", Patch(Tree, "reported", _recorded_only)
    ),
    in_waiting_worlds(
        "children outlive their parent",
        "children_end_with_their_parent",
        replaced(writing, "without_children", _as_it_was),
    ),
    in_waiting_worlds(
        "a child that ends with its parent keeps its slot",
        "who_ends_gives_its_slot_back",
        Patch(writing, "without_children", _requesting_no_slot),
    ),
    in_waiting_worlds(
        "a child needs its parent's session", "no_slot_stays_free", constant(slots, "is_child", answer=False)
    ),
    in_waiting_worlds(
        "a child's end ends the data of its tree",
        "a_live_job_does_not_expire",
        constant(operations, "is_child", answer=False),
    ),
    in_waiting_worlds(
        "a commit that comes too late starts its child again",
        "an_item_is_committed_once",
        Patch(operations, "commit", _starting_again),
    ),
    Defect(
        "a child that a failover forgot keeps its slot",
        "the_book_is_empty_at_last",
        (Patch(reconciler, "over", _remembering_forgotten),),
        plans=True,
    ),
    in_waiting_worlds(
        "a call does not say which job it started", "a_child_has_a_parent", Patch(tool_call, "waits", _nameless)
    ),
    in_waiting_worlds(
        "a child has another id than its call says",
        "who_waits_without_end_has_a_child",
        Patch(started_jobs, "child_of", _another_name),
    ),
)
