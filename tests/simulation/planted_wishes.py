"""Defects of wishes that the admission knows otherwise, and of a slow clock: regressions.py has their seeds."""

from collections.abc import Callable

from baton.commands import submitting
from baton.core.effects import Changes
from baton.runtime import pipeline
from tests.simulation.planting import Defect, Patch, replaced


def _at_once(free_at_ms: int, _now_ms: int) -> int:
    return free_at_ms


def _with_slot(changes: Callable[..., Changes]) -> Callable[..., Changes]:
    return lambda job, task, now_ms, **_slot: changes(job, task, now_ms, slot=True)


DEFECTS = (
    Defect(
        "a job in line is created with a slot",
        "work_begins_with_a_slot",
        (Patch(submitting, "_changes", _with_slot),),
    ),
    Defect(
        "what a slow clock finds early comes again at once",
        "messages_are_few",
        (replaced(pipeline, "again_at_ms", _at_once),),
    ),
)
