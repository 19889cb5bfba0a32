"""The calls of one turn: what they write while others of them are open gets in nobody's way.

Who begins or ends a call reads of the others only whether one of them is still there. As long as one is, no turn
follows, and the job wants its slot.
"""

from collections.abc import Iterable

from events.adapters.tree_writes import Writes
from events.core.legs import Leg, LegKind
from events.engine.tree import Tree

_CALLS = frozenset({LegKind.CALL, LegKind.COMPLETE, LegKind.FAILED})


def siblings(before: Tree, after: Tree, leg_keys: Iterable[str], writes: Writes) -> list[str] | None:
    """The fields of the others, of which one must still be there; empty: none must.

    None: it is no step of such a call, or the last one, and all that it read must be as it was.
    """
    legs = [before.legs.get(key) for key in leg_keys]
    mine = [leg for leg in legs if leg is not None and leg.kind in _CALLS and leg.group]
    if len(mine) != len(legs) or len({leg.job_id for leg in mine}) != 1:
        return None
    job_id = mine[0].job_id
    of_job = [leg for leg in before.legs.values() if leg.job_id == job_id]
    if any(leg.after for leg in of_job) or not _is_theirs(job_id, writes):
        return None
    if any(leg.event and key not in before.legs for key, leg in after.legs.items()):
        return None  # it may have happened, and nobody waited yet
    ended = [leg for leg in mine if f"leg:{leg.key}" in writes.gone]
    if not ended:
        return []
    others = [f"leg:{leg.key}" for leg in of_job if leg not in mine and _holds_up(leg, ended)]
    return others if others and before.standing(job_id).want == "slot" else None


def _holds_up(leg: Leg, ended: Iterable[Leg]) -> bool:
    """Whether no turn follows those that ended while this one is there, and its job wants a slot."""
    return leg.kind is LegKind.CALL and bool(leg.owner) and all(leg.group == each.group for each in ended)


def _is_theirs(job_id: str, writes: Writes) -> bool:
    """Whether nothing is written but legs, calls, results, parts, and what was used."""
    names = {*writes.state, *writes.gone}
    other = any(not name.startswith("leg:") and name != f"usage:{job_id}" for name in names)
    return not (other or writes.expires or any(writes.forgotten.values()) or writes.says)
