"""Defects of wishes that the admission knows otherwise, and of a slow clock: regressions.py has their seeds."""

from functions import pipeline
from tests.simulation.planting import Defect, replaced


def _at_once(free_at_ms: int, _now_ms: int) -> int:
    return free_at_ms


DEFECTS = (
    Defect(
        "what a slow clock finds early comes again at once",
        "messages_are_few",
        (replaced(pipeline, "again_at_ms", _at_once),),
    ),
)
