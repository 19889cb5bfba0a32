"""Defects of slot requests that the admission knows otherwise: regressions.py has their seeds."""

from collections.abc import Callable

from baton.commands import submit
from baton.engine.effects import Changes
from tests.simulation.planting import Defect, Patch


def _with_slot(changes: Callable[..., Changes]) -> Callable[..., Changes]:
    return lambda job, task, now_ms, **_slot: changes(job, task, now_ms, slot=True)


DEFECTS = (
    Defect(
        "a job in line is created with a slot",
        "work_begins_with_a_slot",
        (Patch(submit, "_changes", _with_slot),),
    ),
)
