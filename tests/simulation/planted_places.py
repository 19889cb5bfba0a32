"""Defects that only a host with few places shows."""

from baton.recovery import redelivery
from baton_events import emitter
from baton_events.messages import Flow
from tests.simulation.planting import Defect, constant, replaced

DEFECTS = (
    Defect(
        "a message that finds no place counts as undelivered",
        "nothing_is_spent_for_want_of_a_place",
        (replaced(redelivery, "THROTTLED", frozenset[int]()),),
        crowded=True,
    ),
    Defect(
        "messages do not say how many are delivered at once",
        "nobody_is_refused_whom_the_queue_holds_back",
        (constant(emitter, "_flow", Flow("all", 100)),),
        crowded=True,
    ),
)
