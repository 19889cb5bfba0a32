"""What must be known of a tree before a leg is granted: calls and outcomes that are no part of its state.

Read later, they might be what somebody has made of them who has taken the leg over meanwhile.
"""

from collections.abc import Iterable, Mapping

from events.adapters.tree_snapshot import Place
from events.core.effects import Changes
from events.core.legs import Leg, LegKind
from events.core.state import CallRecord
from events.engine.tree import Tree
from events.ports import Claim

_ENDING = frozenset({LegKind.FAILED, LegKind.WAIT})
_ENDING_KEYS = tuple(f"{kind}:" for kind in sorted(_ENDING))
_NONE: dict[str, CallRecord] = {}


def calls_told_with(claim: Claim, tree: Tree) -> list[Place]:
    """The calls of which who begins this leg is told."""
    if not tree.jobs and claim.leg_key.startswith(_ENDING_KEYS):  # nothing is known: its own is read with all else
        return [(claim.job_id, claim.call_id)]
    leg = tree.legs.get(claim.leg_key)
    return _calls_of([leg] if leg else (), tree.calls.get(claim.job_id, _NONE))


def calls_gone_on_with(claim: Claim, changes: Changes, tree: Tree) -> list[Place]:
    """The calls of which who goes on after a COMMIT is told."""
    known = {**tree.calls.get(claim.job_id, _NONE), **{record.id: record for record in changes.calls}}
    written = {record.id for record in changes.calls}
    places = _calls_of([*_carried(claim, tree), *changes.legs], known)
    return [place for place in places if place[1] not in written]


def outcomes_gone_on_with(claim: Claim, tree: Tree) -> list[tuple[Place, bool]]:
    """The outcomes of the waits that are over: where there is none, a time-out is written."""
    waits = (leg for leg in _carried(claim, tree) if leg.kind is LegKind.WAIT)
    return [((leg.job_id, leg.call_id), True) for leg in waits if leg.not_before_ms <= claim.now_ms]


def _carried(claim: Claim, tree: Tree) -> list[Leg]:
    legs = tree.legs.values()
    return [leg for leg in legs if leg.job_id == claim.job_id and leg.carrier == claim.message_id]


def _calls_of(legs: Iterable[Leg], known: Mapping[str, CallRecord]) -> list[Place]:
    """Of a step that may fail, and of a question: its own, and those that end with it."""
    places: list[Place] = []
    for leg in legs:
        if leg.kind in _ENDING and (leg.step or leg.asks_for):
            record = known.get(leg.call_id)
            names = record.dependants if record else ()
            places += [(leg.job_id, name) for name in (leg.call_id, *names)]
    return places
