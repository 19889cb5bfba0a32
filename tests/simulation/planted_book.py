"""Defects of the admission's book, and of events about jobs that are not there."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from events.core.admission import Taken
from events.errors import UnknownJobError
from functions import pipeline
from functions.delivery import Outcome
from infra.in_memory import admission as fake_admission
from tests.simulation.planting import Defect, Patch, constant


def _acknowledging(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def acknowledging(self: pipeline.Pipeline, delivered: Any) -> Outcome:
        try:
            outcome: Outcome = await handle(self, delivered)
        except UnknownJobError:
            return Outcome("unknown")
        return outcome

    return acknowledging


def _repeating_nothing(take: Callable[..., Taken]) -> Callable[..., Taken]:
    def repeating_nothing(book: Any, job_id: str, standing: Any, *rest: Any, **named: Any) -> Taken:
        taken, before = take(book, job_id, standing, *rest, **named), book.get(job_id)
        if before is None or before.lap != standing.lap:
            return taken
        return replace(taken, book={**taken.book, job_id: replace(taken.book[job_id], since_ms=before.since_ms)})

    return repeating_nothing


DEFECTS = (
    Defect("a sweep gives no free slot", "no_slot_stays_free", (constant(fake_admission, "fill", None),)),
    Defect(
        "an event of an unknown job is acknowledged",
        "an_unknown_job_is_not_acknowledged",
        (Patch(pipeline.Pipeline, "handle", _acknowledging),),
    ),
    Defect(
        "a repeated word does not refresh its entry",
        "who_speaks_stays",
        (Patch(fake_admission, "take", _repeating_nothing),),
    ),
)
