"""Defects of slot requests that the admission knows otherwise: regressions.py has their seeds."""

from collections.abc import Callable
from typing import Any

from baton.commands import submit
from baton.engine.commit.answers import Created
from baton.engine.effects import Changes
from tests.simulation.planting import Defect, Patch, replaced


def _with_slot(changes: Callable[..., Changes]) -> Callable[..., Changes]:
    return lambda job, task, now_ms, **_slot: changes(job, task, now_ms, slot=True)


async def _as_created(_submit: submit.SubmitJob, created: Created, *_rest: Any) -> Created:
    return created


DEFECTS = (
    Defect(
        "a job that was created with a slot, and is in line, is not corrected",
        "work_begins_with_a_slot",
        (replaced(submit.SubmitJob, "_corrected", _as_created),),
    ),
    Defect(
        "a job in line is created with a slot",
        "work_begins_with_a_slot",
        (Patch(submit, "_changes", _with_slot),),
        sessions=True,
    ),
)
