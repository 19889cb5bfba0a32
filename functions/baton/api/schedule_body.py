"""The bodies about schedules (CONTRACT, Jobs), and a schedule as JSON."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from baton.api.submit_body import JobBody
from baton.ports import QueueSchedule
from baton_events.errors import MalformedEventError
from baton_events.ids import scheduled_job_id
from baton_events.schema import AgentLoopInit, Recurrence, parse_event
from baton_events.timestamps import rfc3339

PREFIX = "sch_"


class ScheduleBody(JobBody):
    """A job, and when there is one."""

    cron: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^=\r\n]+$")]
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {name!r}: use a name such as Europe/Berlin") from error
        return name

    @property
    def expression(self) -> str:
        """The cron expression as the queue takes it."""
        return f"CRON_TZ={self.time_zone} {self.cron}"


class PauseBody(BaseModel):
    """Pauses or resumes a schedule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paused: Annotated[bool, Field(strict=True)]


def recurrence_in(schedule: QueueSchedule) -> Recurrence | None:
    """What a schedule of ours tells; None for one of somebody else."""
    if not schedule.id.startswith(PREFIX):
        return None
    try:
        event = parse_event(schedule.body.encode())
    except MalformedEventError:
        return None
    fact = event.payload.fact if isinstance(event, AgentLoopInit) else None
    return fact if isinstance(fact, Recurrence) else None


def schedule_view(schedule: QueueSchedule, fact: Recurrence) -> dict[str, Any]:
    """The schedule as the API shows it; `lastJobs`: what its last tick started."""
    return {
        "id": schedule.id,
        "cron": fact.schedule["cron"],
        "timeZone": fact.schedule["timeZone"],
        "paused": schedule.paused,
        "jobType": fact.job["agent"],
        "taskDescription": fact.task.get("text", ""),
        "inputData": fact.task.get("data") or {},
        "priority": fact.job["priority"],
        "sessionId": fact.job["session_id"] or None,
        "createdAt": rfc3339(fact.job["created_at_ms"]),
        "nextRunAt": rfc3339(schedule.next_ms) if schedule.next_ms and not schedule.paused else None,
        "lastRunAt": rfc3339(schedule.last_ms) if schedule.last_ms else None,
        "lastJobs": [scheduled_job_id(schedule.id, message_id) for message_id in sorted(schedule.last)],
    }
