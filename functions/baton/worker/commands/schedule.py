"""Schedules jobs: each is a schedule of the queue, each of whose messages starts another job.

Invariant: a job's id follows from the schedule and the message: one that is delivered twice starts one job. The queue
signs no message's id, but each attempt has a token of its own, which counts for one message only
(`Admission.first_value`). So a captured request that is sent with another id starts nothing new. From then on the job
is as one that was submitted: it has a backup message, and is created again if it is forgotten.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import ValidationError
from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.commit.codec import job_from, job_values
from baton.engine.lifecycle import first_slot_state
from baton.engine.outbox import command_event
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.queue.ports import Schedules
from baton.sdk.clock import Clock
from baton.settings.settings import Settings
from baton.store.redis.admission import Admission
from baton.store.redis.totals import KeptSchedules
from baton.store.transport.meter import charge
from baton.worker.admission.slot_client import SlotClient
from baton.worker.commands.cancel import CancelJob
from baton.worker.commands.submit import SubmitJob, submission_of, submitted_job
from baton_events.emitter import Emitter
from baton_events.errors import MalformedEventError, StorageFullError
from baton_events.ids import SCHEDULE_PREFIX, canonical_json, event_id, scheduled_job_id
from baton_events.schema import AgentLoopInit, Event, Recurrence, Submission
from baton_events.timestamps import moment

_log = logging.getLogger("baton.commands")
Line = Callable[[str, str], Awaitable[Mapping[str, QueueEntry]]]


class FireSchedule:
    """Starts the job of a schedule's message. `line`: the jobs of a session; `kept`: the schedules of each tenant."""

    def __init__(
        self, submit: SubmitJob, cancel: CancelJob, admission: Admission, slot_client: SlotClient, clock: Clock
    ) -> None:
        self.line: Line | None = None
        self.kept: KeptSchedules | None = None
        self._submit, self._cancel, self._admission = submit, cancel, admission
        self._slot_client, self._clock = slot_client, clock

    async def __call__(self, event: Event, command: Recurrence, relay_id: str, token: str) -> tuple[WorkItem, ...]:
        """Submit a job, unless its tenant has stored too much by now; return work items to dispatch."""
        charge(messages=1)  # the queue's schedule made it
        # A token comes with one message, and is valid for five minutes (qstash.md 9).
        named = await self._admission.first_value(token, relay_id) if token else relay_id
        submission, submitted = next_of(event, command, named, self._clock.now_ms())
        job, overlap = submitted_job(submission, submitted), command.schedule.get("overlap")
        if self.kept is not None and "code" not in command.schedule:
            await self.kept.seen(job.tenant, event.job_id, schedule_bytes(command.task))
        if not await self._may_start(submission, submitted):
            return ()
        if overlap == "skip" and await self._is_busy(job, relay_id):
            return ()
        items = await self._submit.again(submission, submitted, relay_id)
        if self.kept is not None:
            await self.kept.started(event.job_id, job.id, command.schedule.get("atMs") or job.created_at_ms)
        if overlap == "replace":
            await self._replace(job)
        return items

    async def _is_busy(self, job: Job, relay_id: str) -> bool:
        """Return whether another job of the schedule is at work or in line; else this one is in line."""
        if await self._submit.find(job.id) is not None:
            return False
        slot_state = first_slot_state(job, self._clock.now_ms())
        return (await self._slot_client.request(job, slot_state, relay_id, alone=True)).busy

    async def _replace(self, job: Job) -> None:
        """Cancel the schedule's earlier jobs, the last in line first, so that none of them starts meanwhile.

        A message may come once more when its own job is over, and later ones are in line.
        """
        assert self.line is not None, "the container gives it"
        line, own = await self.line(job.tenant, job.session_id), await self._submit.find(job.id)
        if own is None:
            return
        of = line[job.id].created_ms if job.id in line else own.created_at_ms
        for name, entry in sorted(line.items(), key=lambda item: -item[1].created_ms):
            earlier = await self._submit.find(name) if (entry.created_ms, name) < (of, job.id) else None
            if earlier is not None and not earlier.ended:
                await self._cancel(earlier, f"job {job.id}, whose time has come")

    async def _may_start(self, event: Event, command: Submission) -> bool:
        """Return whether a schedule may start its job: one that it has started goes on."""
        try:
            await self._slot_client.quota.check(submitted_job(event, command).tenant)
        except StorageFullError as error:
            if await self._submit.find(event.job_id) is None:
                _log.warning("job %s of a schedule is not started: %s", event.job_id, error)
                return False
        return True


def schedule_bytes(task: Mapping[str, Any]) -> int:
    """Return the bytes that a schedule counts for its tenant."""
    return len(canonical_json(task).encode())


async def put_schedule(
    schedules: Schedules, emitter: Emitter, job: Job, task: dict[str, Any], cron: str, time_zone: str
) -> None:
    """Make or replace the schedule of the queue that has the job's id; each of its jobs is made after `job`.

    Raises QueueRefusedError: no such cron expression.
    """
    event = recurrence(job.id, job, task, {"cron": cron, "timeZone": time_zone})
    await schedules.put(job.id, f"CRON_TZ={time_zone} {cron}", await emitter.message_of(event))


def coded_prefix(settings: Settings) -> str:
    """Return what the ids of the deployment's schedules in code begin with."""
    return f"{SCHEDULE_PREFIX}{settings.topic_prefix}."


def coded_session_id(name: str) -> str:
    """Return the session of the jobs of a schedule in code: they run one after the other."""
    return f"schedule_{name}"


def at_time(event: AgentLoopInit, at_ms: int) -> AgentLoopInit:
    """Return a schedule's event for one time that its queue has missed; it starts one job, however often it comes."""
    command = event.payload.command
    assert isinstance(command, Recurrence), "a schedule's event brings it"
    at = replace(command, schedule=command.schedule | {"atMs": at_ms})
    return replace(event, payload=replace(event.payload, command=at))


def recurrence(schedule_id: str, job: Job, task: dict[str, Any], schedule: dict[str, Any]) -> AgentLoopInit:
    """Return the event that a schedule's messages bring.

    `schedule_id`: its id, in the queue, too. `job`: the template of each of its jobs; without a session each has one
    of its own. `task`: `{"text": …, "data": {…}}`. `schedule`: its description for people.
    """
    command = Recurrence(job=job_values(job), task=task, schedule=schedule)
    session_id, created_at = job.session_id or schedule_id, moment(job.created_at_ms)
    return command_event(event_id(f"recur:{schedule_id}"), schedule_id, session_id, created_at, command)


def next_of(event: Event, command: Recurrence, message_id: str, now_ms: int) -> tuple[Event, Submission]:
    """Return the submission of the job that a schedule's message starts.

    Raises MalformedEventError: the job cannot be read.
    """
    try:
        template = job_from(command.job)
    except ValidationError as error:
        raise MalformedEventError(f"the schedule {event.job_id} makes no job: {error}") from error
    job_id = scheduled_job_id(event.job_id, str(command.schedule.get("atMs") or message_id))
    session_id = template.session_id or f"session_{job_id.removeprefix('job_')}"
    job = replace(template, id=job_id, session_id=session_id, created_at_ms=now_ms)
    return submission_of(job, command.task, moment(now_ms))
