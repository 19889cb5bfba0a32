"""Defects of jobs that schedules start."""

from collections.abc import Callable

from baton.commands import schedule
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import Defect, Patch


def _of_each_delivery(named: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda schedule_id, message_id: named(schedule_id, f"{message_id} {CURRENT.get().number}")


DEFECTS = (
    Defect(
        "each delivery of a schedule's message starts a job",
        "each_time_starts_one_job",
        (Patch(schedule, "scheduled_job_id", _of_each_delivery),),
        crons=True,
    ),
)
