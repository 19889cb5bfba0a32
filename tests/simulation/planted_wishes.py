"""Defects of wishes that the admission knows otherwise, and of a slow clock: regressions.py has their seeds."""

from dataclasses import replace

from functions import pipeline, submitting
from tests.simulation.planting import Defect, answering, replaced


def _at_once(free_at_ms: int, _now_ms: int) -> int:
    return free_at_ms


DEFECTS = (
    Defect(
        "a job in line gets a ticket",
        "work_begins_with_a_slot",
        (answering(submitting.Submitting, "_ask_on", lambda heard, *_rest: replace(heard, slot=True)),),
    ),
    Defect(
        "what a slow clock finds early comes again at once",
        "messages_are_few",
        (replaced(pipeline, "again_at_ms", _at_once),),
    ),
)
