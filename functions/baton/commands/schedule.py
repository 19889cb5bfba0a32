"""Schedules of jobs: each is a schedule of the queue, whose messages tell that it is time for another job.

Invariant: what a schedule starts follows from the schedule and the message: one that is delivered twice starts one job.
The queue signs no message's id, but each attempt has a token of its own, which speaks for one message only
(`Admission.bearer`): a captured request that is sent with another id starts nothing new.
From then on the job is as one that was submitted: it has a backup message, and is created again if it is forgotten.
"""

from typing import Any

from msgspec import ValidationError
from msgspec.structs import replace

from baton.engine.commit.codec import job_from, job_values
from baton.engine.state import Job
from baton_events.errors import MalformedEventError
from baton_events.ids import event_id, scheduled_job_id
from baton_events.schema import AgentLoopInit, Event, LoopPayload, Recurrence, Submission
from baton_events.timestamps import moment


def recurrence(schedule_id: str, job: Job, task: dict[str, Any], schedule: dict[str, Any]) -> AgentLoopInit:
    """The event that a schedule's messages bring.

    Args:
        schedule_id: what the schedule is called in the queue, too.
        job: what each of its jobs is made after; without a session each has one of its own.
        task: `{"text": …, "data": {…}}`.
        schedule: what people are shown of it.
    """
    return AgentLoopInit(
        id=event_id(f"recur:{schedule_id}"),
        session_id=job.session_id or schedule_id,
        job_id=schedule_id,
        created_at=moment(job.created_at_ms),
        payload=LoopPayload(turn=1, fact=Recurrence(job=job_values(job), task=task, schedule=schedule)),
    )


def next_of(event: Event, fact: Recurrence, message_id: str, now_ms: int) -> tuple[Event, Submission]:
    """The submission of the job that a schedule's message starts.

    Raises:
        MalformedEventError: the job cannot be read.
    """
    try:
        template = job_from(fact.job)
    except ValidationError as error:
        raise MalformedEventError(f"the schedule {event.job_id} makes no job: {error}") from error
    job_id = scheduled_job_id(event.job_id, message_id)
    session_id = template.session_id or f"session_{job_id.removeprefix('job_')}"
    job = replace(template, id=job_id, session_id=session_id, created_at_ms=now_ms)
    submission = Submission(job=job_values(job), task=fact.task)
    told = AgentLoopInit(
        id=event_id(f"submit:{job_id}"),
        session_id=session_id,
        job_id=job_id,
        created_at=moment(now_ms),
        payload=LoopPayload(turn=1, fact=submission),
    )
    return told, submission
