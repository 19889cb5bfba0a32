"""Taking in a tool run together with it: the leg that would do so needs no work, so one COMMIT does both.

Invariant: what is written is what the two legs would have written, one after the other; the leg between them never
stands in a state. Where what follows depends on more than is known here, it stays a leg of its own.
"""

from msgspec.structs import replace

from baton.core import calls
from baton.core.effects import Changes, Decision
from baton.core.legs import Leg, LegKind
from baton.core.state import State


def at_once(state: State, decision: Decision, now_ms: int) -> Decision:
    """The decision on a tool run, and on what follows from it."""
    changes = decision.changes
    leg = _following(changes) if changes and state.leg.kind is LegKind.CALL else None
    if changes is None or leg is None:
        return decision
    held = State(state.job, replace(leg, owner=state.leg.owner, claimed_ms=now_ms), changes.calls[0])
    if leg.kind is LegKind.COMPLETE:
        return _both(changes, calls.taken_in(held, now_ms))
    return _both(changes, calls.retry_or_give_up(held, now_ms))


def _following(changes: Changes) -> Leg | None:
    """The leg that takes the run in. Where steps come after one that failed, their records are needed."""
    leg = changes.legs[0] if len(changes.legs) == 1 else None
    if leg is None or leg.kind not in (LegKind.COMPLETE, LegKind.FAILED):
        return None
    return None if leg.kind is LegKind.FAILED and changes.calls[0].dependants else leg


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
