"""What the queue is given for a schedule in code: an id, an expression, and the event that its messages bring.

Invariant: it follows from code and settings alone, so that what the queue has can be compared with it.
"""

from typing import Any

from msgspec import Struct

from baton.sdk.agents.registry import Registry
from baton.sdk.agents.schedule import Schedule
from baton.settings.settings import Settings
from baton.worker.commands.schedule import at_time, coded_session_id, recurrence
from baton.worker.runtime.new_jobs import job_of
from baton_events.emitter import message_of, sealing_in
from baton_events.messages import Outgoing
from baton_events.schema import AgentLoopInit
from baton_events.sealed_messages import is_sealed_now
from baton_events.sealing import Sealing

CODED = "sch_"


class CodedSchedule(Struct, frozen=True):
    """A schedule of the queue as it should be; `event`: what it brings."""

    id: str
    cron: str
    message: Outgoing
    event: AgentLoopInit
    backfill: int
    sealing: Sealing

    def is_brought_by(self, body: str) -> bool:
        """Return whether a message with this body brings the event, and is sealed as one would be now."""
        return self.sealing.shown_message(body) == self.sealing.shown_message(self.message.body) and is_sealed_now(
            self.sealing.first, body
        )


def prefix_of(settings: Settings) -> str:
    """Return what the ids of the deployment's schedules in code begin with."""
    return f"{CODED}{settings.topic_prefix}."


def coded_schedule(registry: Registry, schedule: Schedule, settings: Settings) -> CodedSchedule:
    """Return a schedule in code as the queue should have it; its jobs are of the deployment's tenant (TENANT)."""
    schedule_id = f"{prefix_of(settings)}{schedule.name}"
    ids = {"job_id": schedule_id, "session_id": coded_session_id(schedule.name), "tenant": settings.tenant}
    job = job_of(registry, schedule.agent_name, **ids, now_ms=0)
    about: dict[str, Any] = {"cron": schedule.cron, "timeZone": schedule.time_zone, "code": schedule.name}
    about |= {"overlap": schedule.overlap, "backfill": schedule.backfill}
    event = recurrence(schedule_id, job, {"text": schedule.task, "data": schedule.input_data or {}}, about)
    cron = f"CRON_TZ={schedule.time_zone} {schedule.cron}"
    return CodedSchedule(schedule_id, cron, message_of(settings, event), event, schedule.backfill, sealing_in(settings))


def missed_message(coded: CodedSchedule, settings: Settings, at_ms: int) -> Outgoing:
    """Return the message that makes up for one time that the queue has missed."""
    return message_of(settings, at_time(coded.event, at_ms))
