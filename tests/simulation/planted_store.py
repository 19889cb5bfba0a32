"""Defects of what the store's scripts do: claims, COMMIT, what a message carries, what the sweep touches."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from baton.engine.commit import operations
from baton.engine.commit.answers import Claim, Undelivered, Verdict
from baton.engine.effects import Changes
from baton.engine.work_items import ItemKind, WorkItem
from baton.queue import dispatch
from tests.fakes import Tree
from tests.simulation.actors import STAGE
from tests.simulation.planting import Defect, Patch, answering_step, constant
from tests.simulation.world import World

_Step = Callable[..., tuple[Tree, Any]]


def _with_items(tree: Tree, change: Callable[[dict[str, WorkItem]], dict[str, WorkItem]]) -> Tree:
    return replace(tree, items=change(dict(tree.items)))


def _removing_at_begin(begin: _Step) -> _Step:
    def removing(tree: Tree, claim: Claim) -> tuple[Tree, Any]:
        tree, claim_result = begin(tree, claim)
        if claim_result.state is not None:
            _kept()[claim.item_key] = claim_result.state.item
            tree = _with_items(tree, lambda items: {key: item for key, item in items.items() if key != claim.item_key})
        return tree, claim_result

    return removing


def _putting_back(commit: _Step) -> _Step:
    """Whoever commits had removed the work item, or never asked for it: in either case the COMMIT is taken."""

    def putting_back(tree: Tree, claim: Claim, *rest: Any) -> tuple[Tree, Any]:
        item = _kept().get(claim.item_key)
        if item is not None and claim.item_key not in tree.items and not tree.jobs[claim.job_id].ended:
            tree = _with_items(tree, lambda items: {**items, claim.item_key: item})
        return commit(tree, claim, *rest)

    return putting_back


def _booking_nothing(commit: _Step) -> _Step:
    def booking_nothing(tree: Tree, claim: Claim, *rest: Any) -> tuple[Tree, Any]:
        before = tree.usage.get(claim.job_id)
        tree, committed = commit(tree, claim, *rest)
        if committed.applied and before is not None and claim.job_id in tree.usage:
            usage = {**tree.usage, claim.job_id: replace(before, updated_ms=tree.usage[claim.job_id].updated_ms)}
            tree = replace(tree, usage=usage)
        return tree, committed

    return booking_nothing


def _remembering(begin: _Step) -> _Step:
    def remembering(tree: Tree, claim: Claim) -> tuple[Tree, Any]:
        tree, claim_result = begin(tree, claim)
        if claim_result.state is not None:
            _kept()[claim.item_key] = claim_result.state.item
        return tree, claim_result

    return remembering


# Work items that the two defects above have seen, of each world: another one may have a work item of the same name.
_KEPT: WeakKeyDictionary[World, dict[str, WorkItem]] = WeakKeyDictionary()


def _kept() -> dict[str, WorkItem]:
    return _KEPT.setdefault(STAGE.world, {})


def _counting_down(commit: _Step) -> _Step:
    counted_by: WeakKeyDictionary[World, dict[str, Counter[str]]] = WeakKeyDictionary()

    def counting(tree: Tree, claim: Claim, changes: Changes, *rest: Any) -> tuple[Tree, Any]:
        """How many are open is counted in the tree's own time: a COMMIT that is made again counts once."""
        counted, join = counted_by.setdefault(STAGE.world, {}), changes.join
        tree, committed = commit(tree, claim, replace(changes, join=None), *rest)
        groups = [item.group for item in changes.items if item.kind is ItemKind.CALL and item.attempt == 1]
        if committed.applied:
            for group in groups:
                counted.setdefault(group, Counter()).setdefault(claim.item_key, len(groups))
        if join is None:
            return tree, committed
        requested = counted.setdefault(join.group, Counter())
        requested[claim.item_key] -= 1
        if sum(requested.values()) == 0:
            item = replace(join.item, relay_id=claim.message_id)
            tree = _with_items(tree, lambda items: {**items, item.key: item})
        return tree, replace(committed, pending=tree.pending(claim.message_id, claim.now_ms))

    return counting


def _overwriting(create: _Step) -> _Step:
    return lambda _tree, *rest: create(Tree(), *rest)


def _anybody_appends(append: _Step) -> _Step:
    def anybody(tree: Tree, claim: Claim, *rest: Any) -> tuple[Tree, Any]:
        item = tree.items.get(claim.item_key)
        return append(tree, replace(claim, owner=item.owner if item else ""), *rest)

    return anybody


def _appended_again(append: _Step) -> _Step:
    def again(tree: Tree, claim: Claim, _sequence: int, *rest: Any) -> tuple[Tree, Any]:
        tree, appended = append(tree, claim, 1_000_000, *rest)
        if claim.item_key in tree.items:
            tree = _with_items(
                tree, lambda items: {**items, claim.item_key: replace(items[claim.item_key], appended=0)}
            )
        return tree, appended

    return again


def _changes_with(change: Callable[[Changes], Changes]) -> Patch:
    def make(changed: Callable[..., Any]) -> Callable[..., Any]:
        def doing(tree: Tree, job_id: str, message_id: str, changes: Changes, *rest: Any) -> Tree:
            after: Tree = changed(tree, job_id, message_id, change(changes), *rest)
            return after

        return doing

    return Patch(operations, "_changed", make)


def _expiring(changed: Callable[..., Any]) -> Callable[..., Any]:
    def expiring(*arguments: Any) -> Tree:
        after: Tree = changed(*arguments)
        return replace(after, expires_ms=1)

    return expiring


def _looking_at_all(_original: Any) -> Any:
    def all_of_them(
        self: Tree, job_id: str, _entry: Any, message_id: str, now_ms: int, _lost_after_ms: int
    ) -> list[WorkItem]:
        items = [item for item in self.items.values() if item.job_id == job_id and not self.gated(item, now_ms)]
        return [replace(item, since_ms=now_ms, relay_id=message_id) for item in items]

    return all_of_them


def _without_timer(begin: _Step) -> _Step:
    def at_once(tree: Tree, claim: Claim) -> tuple[Tree, Any]:
        if claim.item_key in tree.items:
            tree = _with_items(
                tree, lambda items: {**items, claim.item_key: replace(items[claim.item_key], not_before_ms=0)}
            )
        return begin(tree, claim)

    return at_once


def _at_once(delivery: Callable[..., Any]) -> Callable[..., Any]:
    return lambda event, _not_before_ms, redrive: delivery(event, 0, redrive)


def _endless_lease(begin: _Step) -> _Step:
    return lambda tree, claim: begin(tree, replace(claim, lease_until_ms=claim.lease_until_ms + 10**9))


def _all_items(_original: Any) -> Any:
    def everything(self: Tree, _message_id: str, now_ms: int, but: str = "") -> tuple[WorkItem, ...]:
        return tuple(item for item in self.items.values() if item.key != but and not self.gated(item, now_ms))

    return everything


def _silent(verdicts: set[Verdict]) -> Patch:
    return answering_step(
        "claim",
        lambda claim_result, *_: (
            replace(claim_result, pending=()) if claim_result.verdict in verdicts else claim_result
        ),
    )


DEFECTS = (
    Defect(
        "a work item is removed at CLAIM",
        "a_live_job_has_an_item",
        (Patch(operations, "claim", _removing_at_begin), Patch(operations, "commit", _putting_back)),
    ),
    Defect(
        "a second COMMIT is accepted",
        "an_item_is_committed_once",
        (Patch(operations, "claim", _remembering), Patch(operations, "commit", _putting_back)),
    ),
    Defect(
        "a refused COMMIT dispatches nothing",
        "every_item_is_guaranteed",
        (answering_step("commit", lambda done, *_: done if done.applied else replace(done, pending=())),),
    ),
    Defect(
        "a message whose event was applied dispatches nothing",
        "every_item_is_guaranteed",
        (_silent({Verdict.APPLIED}),),
    ),
    Defect(
        "a message dispatches its siblings' work items, too", "messages_are_few", (Patch(Tree, "pending", _all_items),)
    ),
    Defect(
        "a join is counted down instead of computed",
        "a_live_job_has_an_item",
        (Patch(operations, "commit", _counting_down),),
    ),
    Defect(
        "a creation overwrites the job that is there",
        "the_ledger_only_grows",
        (Patch(operations, "create", _overwriting),),
    ),
    Defect(
        "a COMMIT does not keep what was spent",
        "the_ledger_only_grows",
        (Patch(operations, "commit", _booking_nothing),),
    ),
    Defect(
        "anybody may append parts in mid-work",
        "parts_come_from_live_attempts",
        (Patch(operations, "append", _anybody_appends),),
    ),
    Defect(
        "an append that is repeated is applied again",
        "parts_come_from_live_attempts",
        (Patch(operations, "append", _appended_again),),
    ),
    Defect(
        "an end leaves the job's work items",
        "a_live_job_has_an_item",
        (_changes_with(lambda changes: replace(changes, ends=False)),),
    ),
    Defect(
        "parts are written twice",
        "one_entry_for_each_handled_event",
        (_changes_with(lambda c: replace(c, parts=(*c.parts, *c.parts))),),
    ),
    Defect(
        "results are not written",
        "calls_end_as_the_script_says",
        (_changes_with(lambda changes: replace(changes, results={})),),
    ),
    Defect("a live job expires", "a_live_job_does_not_expire", (Patch(operations, "_changed", _expiring),)),
    Defect(
        "a sweep redrives live leases and future timers",
        "a_sweep_redrives_only_what_is_lost",
        (Patch(Tree, "without_progress", _looking_at_all),),
    ),
    Defect("a sweep finds nothing", "nothing_is_left_to_a_sweep", (constant(Tree, "without_progress", []),)),
    Defect(
        "a retry does not wait",
        "no_item_begins_early",
        (Patch(operations, "claim", _without_timer), Patch(dispatch, "delivery", _at_once)),
    ),
    Defect(
        "a message before its time publishes itself without a delay",
        "the_world_comes_to_rest",
        (Patch(dispatch, "delivery", _at_once),),
    ),
    Defect("a lease never ends", "every_step_goes_on", (Patch(operations, "claim", _endless_lease),)),
    Defect("work needs no slot", "work_begins_with_a_slot", (constant(Tree, "gated", False),)),
    Defect(
        "what an undelivered message carried is forgotten",
        "every_item_is_guaranteed",
        (answering_step("undelivered", lambda found, *_: Undelivered(found.state, (), found.session_id)),),
    ),
)
