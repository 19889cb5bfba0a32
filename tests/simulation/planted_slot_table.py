"""Defects of the admission's slot table, and of events about jobs that are not there."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine.all_jobs.slots import Taken
from baton.queue.dispatch import Outcome
from baton.runtime import pipeline
from baton.storage.in_memory import admission as fake_admission
from baton.storage.in_memory import listing as fake_listing
from baton_events.errors import UnknownJobError
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
    def repeating_nothing(slot_table: Any, job_id: str, slot_state: Any, *rest: Any, **named: Any) -> Taken:
        taken, before = take(slot_table, job_id, slot_state, *rest, **named), slot_table.get(job_id)
        if before is None or before.epoch != slot_state.epoch:
            return taken
        return replace(
            taken, slot_table={**taken.slot_table, job_id: replace(taken.slot_table[job_id], since_ms=before.since_ms)}
        )

    return repeating_nothing


def _all_of_them(_given_slots: Callable[..., int]) -> Callable[..., int]:
    def all_of_them(self: fake_admission.InMemoryAdmission) -> int:
        return self.slots

    return all_of_them


def _counting_each_update(with_end: Callable[..., Any]) -> Callable[..., Any]:
    def counting_each_update(before: Any, end: Any) -> Any:
        return with_end(with_end(before, end), end)

    return counting_each_update


def _still_stopped(start: Callable[..., Any]) -> Callable[..., Any]:
    def still_stopped(self: fake_admission.InMemoryAdmission, now_ms: int, slots: int | None = None) -> Any:
        stopped_ms = self.stopped_ms
        started = start(self, now_ms, slots)
        self.stopped_ms = stopped_ms
        return started

    return still_stopped


DEFECTS = (
    Defect(
        "a stopped admission gives slots",
        "nobody_is_admitted_while_it_is_stopped",
        (Patch(fake_admission.InMemoryAdmission, "_given_slots", _all_of_them),),
    ),
    Defect(
        "a start leaves it stopped",
        "a_stop_and_a_start_are_what_they_say",
        (Patch(fake_admission.InMemoryAdmission, "start", _still_stopped),),
    ),
    Defect(
        "an end is counted twice",
        "each_end_is_counted_once",
        (Patch(fake_admission, "with_end", _counting_each_update),),
    ),
    Defect("jobs are not listed", "every_job_is_listed", (constant(fake_listing, "_written", ()),)),
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
        returns=True,
    ),
)
