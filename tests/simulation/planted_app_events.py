"""Defects of jobs that app events start, and of their dead letters."""

from collections.abc import Callable

from baton.engine import lifecycle
from baton.runtime import app_events
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import Defect, Patch


def _of_each_delivery(named: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda event_id, handler: named(f"{event_id} {CURRENT.get().number}", handler)


DEFECTS = (
    Defect(
        "each delivery of an app event starts a job",
        "each_app_event_starts_one_job",
        (Patch(app_events, "event_job_id", _of_each_delivery),),
        events=True,
    ),
    Defect(
        "a handler's failure is followed up by nothing",
        "a_failed_handler_is_a_dead_letter",
        (Patch(lifecycle, "after_end", lambda _: lambda decision, _now_ms: decision),),
        events=True,
    ),
)
