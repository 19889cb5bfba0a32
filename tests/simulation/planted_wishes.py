"""Defects of wishes that the admission knows otherwise, and of a slow clock: regressions.py has their seeds."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from functions import pipeline, redelivery, submitting
from tests.simulation.planting import Defect, Patch, answering, replaced


def _at_once(free_at_ms: int, _now_ms: int) -> int:
    return free_at_ms


def _without_tickets(hand_on: Callable[..., Awaitable[int]]) -> Callable[..., Awaitable[int]]:
    return lambda emitter, session_id, legs, drive, _tickets=None: hand_on(emitter, session_id, legs, drive)


DEFECTS = (
    Defect(
        "a job in line gets a ticket",
        "work_begins_with_a_slot",
        (answering(submitting.Submitting, "_ask_on", lambda heard, *_rest: replace(heard, slot=True)),),
    ),
    Defect(
        "what could not be delivered is driven again without its ticket",
        "every_leg_is_guaranteed",
        (Patch(redelivery, "hand_on", _without_tickets),),
        deploys=True,
    ),
    Defect(
        "what a slow clock finds early comes again at once",
        "messages_are_few",
        (replaced(pipeline, "again_at_ms", _at_once),),
    ),
)
