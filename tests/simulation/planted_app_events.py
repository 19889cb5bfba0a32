"""Defects of jobs that app events start, and of their dead letters."""

from collections.abc import Awaitable, Callable
from typing import Any

from baton.engine import lifecycle
from baton.runtime import app_events, batches
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import Defect, Patch


def _of_each_delivery(named: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda event_id, handler: named(f"{event_id} {CURRENT.get().number}", handler)


def _never_closing(join: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    return lambda *arguments, closes: join(*arguments, closes=False)


DEFECTS = (
    Defect(
        "each delivery of an app event starts a job",
        "each_app_event_starts_one_job",
        (Patch(app_events, "event_job_id", _of_each_delivery),),
        events=True,
    ),
    Defect(
        "each delivery of an app event joins the newest batch",
        "each_batched_event_is_in_one_batch",
        (Patch(batches, "note_of_batch", lambda _: lambda handler: f"{handler} {CURRENT.get().number}"),),
        events=True,
    ),
    Defect(
        "the late copy of an app event closes no batch",
        "each_batched_event_is_in_one_batch",
        (Patch(batches.Batches, "join", _never_closing),),
        events=True,
    ),
    Defect(
        "a handler's failure is followed up by nothing",
        "a_failed_handler_is_a_dead_letter",
        (Patch(lifecycle, "after_end", lambda _: lambda decision, _now_ms: decision),),
        events=True,
    ),
)
