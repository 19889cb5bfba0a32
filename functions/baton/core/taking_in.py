"""Taking in a tool run together with it: the work item that would do so needs no work, so one COMMIT does both.

Invariant: what is written is what the two work items would have written, one after the other; the work item between
them never stands in a state. Where what follows depends on more than is known here, it stays a work item of its own.
"""

from msgspec.structs import replace

from baton.core import calls
from baton.core.effects import Changes, Decision
from baton.core.state import State
from baton.core.work_items import ItemKind, WorkItem


def at_once(state: State, decision: Decision, now_ms: int) -> Decision:
    """The decision on a tool run, and on what follows from it."""
    changes = decision.changes
    item = _following(changes) if changes and state.item.kind is ItemKind.CALL else None
    if changes is None or item is None:
        return decision
    held = State(state.job, replace(item, owner=state.item.owner, claimed_ms=now_ms), changes.calls[0])
    if item.kind is ItemKind.COMPLETE:
        return _both(changes, calls.taken_in(held, now_ms))
    return _both(changes, calls.retry_or_give_up(held, now_ms))


def _following(changes: Changes) -> WorkItem | None:
    """The work item that takes the run in. Where steps come after one that failed, their records are needed."""
    item = changes.items[0] if len(changes.items) == 1 else None
    if item is None or item.kind not in (ItemKind.COMPLETE, ItemKind.FAILED):
        return None
    return None if item.kind is ItemKind.FAILED and changes.calls[0].dependants else item


def _both(first: Changes, then: Decision) -> Decision:
    second = then.changes
    assert second is not None, "taking in changes the job"
    changes = replace(
        second,
        calls=second.calls or first.calls,
        results=first.results | second.results,
        parts=(*first.parts, *second.parts),
        used=first.used,
    )
    return Decision(changes, then.effects)
