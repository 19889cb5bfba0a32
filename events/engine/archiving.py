"""What a retry or a removal is decided on, of a tree as it was read. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from events.core.legs import Leg, LegKind
from events.core.retrying import EndedJob
from events.core.state import CallRecord
from events.core.transcript import recalled as remembered
from events.engine.tree import NOT_USED, Tree
from events.ports import Loaded, Recalled, Removed, Untold


def recalled(tree: Tree, loaded: Loaded, calls: Iterable[CallRecord], entries: int, head: Sequence[str]) -> Recalled:
    """A job with what a retry or a removal is decided on. `entries`, `head`: of its transcript, and its beginning."""
    job_id = loaded.job.id
    ended = EndedJob(loaded.job, tuple(calls), entries, 2 if remembered(head) else 1)
    untold = tuple(
        Untold(leg, tree.jobs[leg.job_id], tree.usage.get(leg.job_id, NOT_USED)) for leg in _wishes(tree.legs)
    )
    written = {
        name: (other.finished_at_ms or 0, tree.usage.get(name, NOT_USED).written)
        for name, other in tree.jobs.items()
        if other.ended and (name == job_id or name.startswith(f"{job_id}."))
    }
    return Recalled(loaded, ended, untold, written)


def removal(tree: Tree, recalled: Recalled) -> Removed:
    """What becomes of it. A wish that nobody tells any more would leave its slot to nobody."""
    job, told = recalled.loaded.job, {untold.wish.key for untold in recalled.wishes}
    if job.id not in tree.jobs:
        return Removed.UNKNOWN
    untold = any(leg.key not in told for leg in _wishes(tree.legs))
    return Removed.CHANGED if untold or tree.jobs[job.id] != job or not job.ended else Removed.REMOVED


def _wishes(legs: Mapping[str, Leg]) -> list[Leg]:
    return [legs[key] for key in sorted(legs) if legs[key].kind is LegKind.WISH]
