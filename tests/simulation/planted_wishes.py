"""Defects of wishes that the admission knows otherwise, and of a slow clock: regressions.py has their seeds."""

from functions import pipeline
from tests.fakes import Tree
from tests.simulation.planting import Defect, replaced


def _all_ended(self: Tree) -> tuple[str, ...]:
    return tuple(name for name in sorted(self.jobs) if self.jobs[name].ended)


def _wished_at(self: Tree, job_id: str) -> int:
    return self.standing(job_id).lap


def _at_once(free_at_ms: int, _now_ms: int) -> int:
    return free_at_ms


DEFECTS = (
    Defect(
        "an entry leaves before its job's last wish is done",
        "every_leg_is_guaranteed",
        (replaced(Tree, "over", _all_ended),),
    ),
    Defect(
        "a sweep wishes again what was told since it read the book",
        "every_leg_is_guaranteed",
        (replaced(Tree, "said_ms", _wished_at),),
        streams=True,
    ),
    Defect(
        "what a slow clock finds early comes again at once",
        "messages_are_few",
        (replaced(pipeline, "again_at_ms", _at_once),),
    ),
)
