"""Defects of what the store's scripts do: claims, COMMIT, what a message carries, what the sweep touches."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from baton.engine.commit import operations
from baton.engine.commit.answers import Claim, Undelivered, Verdict
from baton.engine.commit.draft import Draft
from baton.engine.commit.patch import compared
from baton.engine.commit.tree import Tree
from baton.engine.commit.usage_ledger import Metered
from baton.engine.effects import Changes
from baton.engine.state import Usage
from baton.engine.work_items import ItemKind, WorkItem
from baton.queue import dispatch
from baton.store.redis.tree import attempt, billing, transactions
from baton.store.redis.tree.billing import Bill
from baton.store.redis.tree.snapshot import Transcript
from baton.store.transport.meter import Meter
from tests.simulation.actors import STAGE
from tests.simulation.planting import Patch, answering_step, around, constant, defects, replaced
from tests.simulation.world import World

_Step = Callable[..., Any]
# Work items that two defects have seen, of each world: another one may have a work item of the same name.
_KEPT: WeakKeyDictionary[World, dict[str, WorkItem]] = WeakKeyDictionary()
# What a third one counts: how many are open, by group and by who says so.
_COUNTED: WeakKeyDictionary[World, dict[str, Counter[str]]] = WeakKeyDictionary()


def _staying(take: Callable[[Meter], Metered], meter: Meter) -> Metered:
    taken = take(meter)
    meter.refund(taken)
    return taken


def _without_request(with_used: Callable[[str, Usage, Usage], str], text: str, used: Usage, was: Usage) -> str:
    return with_used(text, replace(used, redis_requests=used.redis_requests - 1), was)


def _kept() -> dict[str, WorkItem]:
    return _KEPT.setdefault(STAGE.world, {})


def _change_item(draft: Draft, key: str, **fields: Any) -> None:
    """Give this work item other fields, if it is there."""
    if key in draft.items:
        draft.put_items(replace(draft.items[key], **fields))


def _remembering(begin: _Step, draft: Draft, claim: Claim) -> Any:
    claim_result = begin(draft, claim)
    if claim_result.state is not None:
        _kept()[claim.item_key] = claim_result.state.item
    return claim_result


def _removing_at_begin(begin: _Step, draft: Draft, claim: Claim) -> Any:
    claim_result = _remembering(begin, draft, claim)
    if claim_result.state is not None:
        draft.drop_items(claim.item_key)
    return claim_result


def _putting_back(commit: _Step, draft: Draft, claim: Claim, *rest: Any) -> Any:
    """Whoever commits had removed the work item, or never asked for it: in either case the COMMIT is taken."""
    item = _kept().get(claim.item_key)
    if item is not None and claim.item_key not in draft.items and not draft.jobs[claim.job_id].ended:
        draft.put_items(item)
    return commit(draft, claim, *rest)


def _counting_down(commit: _Step, draft: Draft, claim: Claim, changes: Changes, *rest: Any) -> Any:
    """How many are open is counted in the tree's own time: a COMMIT that is made again counts once."""
    counted, join = _COUNTED.setdefault(STAGE.world, {}), changes.join
    committed = commit(draft, claim, replace(changes, join=None), *rest)
    groups = [item.group for item in changes.items if item.kind is ItemKind.CALL and item.attempt == 1]
    if committed.applied:
        for group in groups:
            counted.setdefault(group, Counter()).setdefault(claim.item_key, len(groups))
    if join is None:
        return committed
    requested = counted.setdefault(join.group, Counter())
    requested[claim.item_key] -= 1
    if sum(requested.values()) == 0:
        draft.put_items(replace(join.item, relay_id=claim.message_id))
    return replace(committed, pending=draft.pending(claim.message_id, claim.now_ms))


def _overwriting(create: _Step, draft: Draft, *rest: Any) -> Any:
    draft.jobs = {}
    return create(draft, *rest)


def _expiring(change: _Step, draft: Draft, *rest: Any) -> None:
    change(draft, *rest)
    draft.expires_ms = 1


def _anybody_appends(append: _Step, draft: Draft, claim: Claim, *rest: Any) -> Any:
    item = draft.items.get(claim.item_key)
    return append(draft, replace(claim, owner=item.owner if item else ""), *rest)


def _appended_again(append: _Step, draft: Draft, claim: Claim, _sequence: int, *rest: Any) -> Any:
    appended = append(draft, claim, 1_000_000, *rest)
    _change_item(draft, claim.item_key, appended=0)
    return appended


def _changes_with(alter: Callable[[Changes], Changes]) -> Patch:
    return around(
        operations,
        "_change",
        lambda change, draft, job_id, message_id, changes, *rest: change(
            draft, job_id, message_id, alter(changes), *rest
        ),
    )


def _looking_at_all(
    self: Tree, job_id: str, _entry: Any, message_id: str, now_ms: int, _lost_after_ms: int
) -> list[WorkItem]:
    items = [item for item in self.items.values() if item.job_id == job_id and not self.gated(item, now_ms)]
    return [replace(item, since_ms=now_ms, relay_id=message_id) for item in items]


def _without_timer(begin: _Step, draft: Draft, claim: Claim) -> Any:
    _change_item(draft, claim.item_key, not_before_ms=0)
    return begin(draft, claim)


def _endless_lease(begin: _Step, draft: Draft, claim: Claim) -> Any:
    return begin(draft, replace(claim, lease_until_ms=claim.lease_until_ms + 10**9))


def _all_items(self: Tree, _message_id: str, now_ms: int, but: str = "") -> tuple[WorkItem, ...]:
    return tuple(item for item in self.items.values() if item.key != but and not self.gated(item, now_ms))


_AT_ONCE = around(dispatch, "delivery", lambda delivery, event, _not_before_ms, *rest: delivery(event, 0, *rest))

DEFECTS = defects(
    0,
    a_live_job_has_an_item={
        "a work item is removed at CLAIM": (
            around(operations, "claim", _removing_at_begin),
            around(operations, "commit", _putting_back),
        ),
        "a join is counted down instead of computed": around(operations, "commit", _counting_down),
        "an end leaves the job's work items": _changes_with(lambda changes: replace(changes, ends=False)),
        "a stamp stands for writes that were not compared, so another's is overlooked": replaced(
            attempt, "appended", compared
        ),
    },
    a_turn_is_told_what_is_stored={
        "the rest of a history is read from a beginning that is not its own": replaced(
            Transcript, "begins", lambda self, used: len(self.entries) <= used.entries
        )
    },
    an_item_is_committed_once={
        "a second COMMIT is accepted": (
            around(operations, "claim", _remembering),
            around(operations, "commit", _putting_back),
        )
    },
    every_item_is_guaranteed={
        "a refused COMMIT dispatches nothing": answering_step(
            "commit", lambda done, *_: done if done.applied else replace(done, pending=())
        ),
        "a message whose event was applied dispatches nothing": answering_step(
            "claim", lambda found, *_: replace(found, pending=()) if found.verdict is Verdict.APPLIED else found
        ),
        "what an undelivered message carried is forgotten": answering_step(
            "undelivered", lambda found, *_: Undelivered(found.state, (), found.session_id)
        ),
    },
    messages_are_few={"a message dispatches its siblings' work items, too": replaced(Tree, "pending", _all_items)},
    the_ledger_only_grows={
        "a creation overwrites the job that is there": around(operations, "create", _overwriting),
        "a COMMIT does not keep what was spent": constant(Bill, "add", None),
    },
    a_delivery_is_billed_once={
        "what was billed stays in the meter": around(Meter, "take", _staying),
        "what a refused write took is gone": constant(Meter, "refund", None),
        "a request that came twice does not know its name": constant(transactions, "is_written", answer=False),
    },
    an_event_says_what_was_billed_for_it={
        "an event says nothing of its own request": around(billing, "with_used", _without_request)
    },
    parts_come_from_live_attempts={
        "anybody may append parts in mid-work": around(operations, "append", _anybody_appends),
        "an append that is repeated is applied again": around(operations, "append", _appended_again),
    },
    one_entry_for_each_handled_event={
        "parts are written twice": _changes_with(lambda changes: replace(changes, parts=changes.parts * 2))
    },
    calls_end_as_the_script_says={
        "results are not written": _changes_with(lambda changes: replace(changes, results={}))
    },
    a_live_job_does_not_expire={"a live job expires": around(operations, "_change", _expiring)},
    a_sweep_replays_only_what_is_lost={
        "a sweep replays live leases and future timers": replaced(Tree, "without_progress", _looking_at_all)
    },
    nothing_is_left_to_a_sweep={"a sweep finds nothing": constant(Tree, "without_progress", [])},
    no_item_begins_early={"a retry does not wait": (around(operations, "claim", _without_timer), _AT_ONCE)},
    the_world_comes_to_rest={"a message before its time publishes itself without a delay": _AT_ONCE},
    every_step_goes_on={"a lease never ends": around(operations, "claim", _endless_lease)},
    work_begins_with_a_slot={"work needs no slot": constant(Tree, "gated", answer=False)},
)
