"""Schedules over HTTP: jobs that recur by a cron expression (CONTRACT, Jobs).

The queue alone keeps them, so no second copy can disagree with it. Which are a tenant's stands in the store, so that
its list and its number are its own, whatever others have. Invariant: a tenant has no more of them than it may, however
many it makes at once, and a new one has to fit in its bytes with those and all else that it stores.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.commit.codec import job_from
from baton.queue.ports import QueueSchedule
from baton.sdk.agents.schedule import CRON_CHARACTERS, NO_CRON
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.jobs.submission import JobBody, SubmitBody, new_job
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.worker.commands.schedule import at_time, coded_prefix, put_schedule, schedule_bytes
from baton.worker.container import Container
from baton_events.errors import BatonError, MalformedEventError, QueueRefusedError
from baton_events.ids import SCHEDULE_PREFIX, named_schedule_id, scheduled_job_id
from baton_events.schema import AgentLoopInit, Recurrence, parse_event
from baton_events.sealing import Sealing
from baton_events.timestamps import rfc3339, zone_of

_READ_AT_ONCE = 10


class ScheduleBody(JobBody):
    """A job, and when there is one."""

    cron: Annotated[str, Field(min_length=1, max_length=200)]
    time_zone: Annotated[str, AfterValidator(lambda name: str(zone_of(name)))] = "UTC"

    @field_validator("cron")
    @classmethod
    def _plain_cron(cls, cron: str) -> str:
        if not re.fullmatch(CRON_CHARACTERS, cron):
            raise ValueError(f"{cron!r} is {NO_CRON}")
        return cron


class ScheduleChange(BaseModel):
    """Pauses or resumes a schedule, or starts its job now, whether it is paused or not."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    paused: Annotated[bool, Field(strict=True)] | None = None
    run_now: Annotated[bool, Field(strict=True)] = False


def recurrence_in(schedule: QueueSchedule, sealing: Sealing) -> Recurrence | None:
    if not schedule.id.startswith(SCHEDULE_PREFIX):
        return None
    try:
        event = parse_event(sealing.shown_message(schedule.body).encode())
    except MalformedEventError:
        return None
    command = event.payload.command if isinstance(event, AgentLoopInit) else None
    return command if isinstance(command, Recurrence) else None


def coded_fault(command: Recurrence) -> str:
    """Return why a schedule cannot be deleted here; empty: it can."""
    if name := command.schedule.get("code"):
        return f"schedule {name!r} is in the code: pause it, or take it out there and run `baton setup --prune`"
    return ""


async def schedule_views(
    container: Container, found: Sequence[tuple[QueueSchedule, Recurrence]]
) -> list[dict[str, Any]]:
    """Return schedules as the API shows them; `lastJobs`: however they were started, the newest first."""
    last = await container.ports.kept_schedules.last_jobs([schedule.id for schedule, _ in found]) if found else []
    return [_view(*each) | {"lastJobs": jobs} for each, jobs in zip(found, last, strict=True)]


def _view(schedule: QueueSchedule, command: Recurrence) -> dict[str, Any]:
    """Return what is not of its jobs. `name`, `overlap`: of a schedule in code; None: the API has made it."""
    job = job_from(command.job)
    created_ms = job.created_at_ms or schedule.created_ms  # code has no time
    return {
        "id": schedule.id,
        "name": command.schedule.get("code"),
        "overlap": command.schedule.get("overlap"),
        "backfill": command.schedule.get("backfill", 0),
        "cron": command.schedule["cron"],
        "timeZone": command.schedule["timeZone"],
        "paused": schedule.paused,
        "jobType": job.agent,
        "taskDescription": command.task.get("text", ""),
        "inputData": command.task.get("data") or {},
        "priority": job.priority,
        "sessionId": job.session_id or None,
        "tags": list(job.tags),
        "createdAt": rfc3339(created_ms),
        "nextRunAt": rfc3339(schedule.next_ms) if schedule.next_ms and not schedule.paused else None,
        "lastRunAt": rfc3339(schedule.last_ms) if schedule.last_ms else None,
    }


async def create_schedule(context: Context, request: Request) -> Response:
    """Answer `POST /api/agent-schedules` with 201 and the schedule."""
    principal = await context.keys.authenticate(request)
    body = parsed(ScheduleBody, await limited_body(request))
    made = await made_schedule(context, principal, body, idempotency_key_of(request))
    return JSONResponse(made, 201)


async def made_schedule(context: Context, principal: Principal, body: ScheduleBody, key: str = "") -> dict[str, Any]:
    """Make a schedule; the same Idempotency-Key replaces the body of the same schedule.

    Without a key the body is the key: a repeated request makes no second schedule. Raises ApiError: 422, no such
    agent, or no cron expression; 409, the tenant has as many as it may. StorageFullError: it has stored as many bytes.
    """
    ports = context.container.ports
    alike = body.model_dump_json()
    made_id = named_schedule_id("schedule" if key else "alike", principal.tenant, key or alike)
    job = new_job(
        SubmitBody.model_validate(body.model_dump(by_alias=True, exclude={"cron", "time_zone"})),
        context.container,
        job_id=made_id,
        session_id="",
        tenant=principal.tenant,
        now_ms=ports.clock.now_ms(),
    )
    before = await _entered(context.container, job.tenant, made_id, schedule_bytes(body.task))
    try:
        await put_schedule(ports.schedules, context.container.emitter, job, body.task, body.cron, body.time_zone)
    except QueueRefusedError as error:
        await _as_before(context.container, job.tenant, made_id, before)
        if "cron" not in str(error).lower():
            raise ApiError(422, f"the queue refuses this schedule: {error}") from error
        why = f"{body.cron!r} is {NO_CRON}"
        raise ApiError(422, "the queue does not take the schedule's cron", [("cron", why)]) from error
    return await _shown(context, principal, made_id)


async def _entered(container: Container, tenant: str, schedule_id: str, size_bytes: int) -> int | None:
    """Enter a schedule among its tenant's; return its bytes before, None: it is new.

    Raises ApiError: 409, there are as many as the tenant may have. StorageFullError: it has stored as many bytes.
    """
    most = container.settings.schedules_per_tenant
    before, sizes = await container.ports.kept_schedules.put(tenant, schedule_id, size_bytes)
    try:
        if before is None and 0 < most < len(sizes):
            found = f"tenant {tenant!r} has {len(sizes) - 1} schedules"
            raise ApiError(409, f"{found}, and SCHEDULES_PER_TENANT allows {most}: delete some")
        await container.commands.quota.check(tenant, lasting_bytes=sum(sizes))
    except BatonError:
        await _as_before(container, tenant, schedule_id, before)
        raise
    return before


async def _as_before(container: Container, tenant: str, schedule_id: str, before: int | None) -> None:
    kept = container.ports.kept_schedules
    await (kept.take_out(tenant, schedule_id) if before is None else kept.put(tenant, schedule_id, before))


async def drop_schedule(container: Container, tenant: str, schedule_id: str) -> None:
    await container.ports.schedules.delete(schedule_id)
    await container.ports.kept_schedules.take_out(tenant, schedule_id)


async def show_schedules(context: Context, request: Request) -> Response:
    """Answer `GET /api/agent-schedules` with 200 and the schedules, by id."""
    principal = await context.keys.authenticate(request)
    return JSONResponse({"schedules": await schedules_of(context, principal)})


async def schedules_of(context: Context, principal: Principal) -> list[dict[str, Any]]:
    """Return the schedules that the caller may see, by id; a client's cost what its tenant has."""
    is_operator = principal.role == "admin"
    known = await (context.container.ports.schedules.all() if is_operator else _of_tenant(context, principal.tenant))
    found = [(each, command) for each in known if (command := recurrence_in(each, context.container.sealing))]
    return await schedule_views(context.container, [one for one in found if principal.may_see(one[1].job["tenant"])])


async def _of_tenant(context: Context, tenant: str) -> list[QueueSchedule]:
    """Read a tenant's schedules, some at once; those in code are of the deployment's."""
    container = context.container
    names = await container.ports.kept_schedules.of(tenant)
    if tenant == container.settings.tenant:
        names += [f"{coded_prefix(container.settings)}{each.name}" for each in container.registry.schedules]
    found, schedules = list[QueueSchedule | None](), container.ports.schedules
    for first in range(0, len(names), _READ_AT_ONCE):
        found += await asyncio.gather(*map(schedules.find, sorted(names)[first : first + _READ_AT_ONCE]))
    return [each for each in found if each is not None]


async def read_schedule(context: Context, request: Request) -> Response:
    """Answer `GET /api/agent-schedules/{id}` with 200 and the schedule."""
    principal = await context.keys.authenticate(request)
    return JSONResponse(await _shown(context, principal, request.path_params["schedule_id"]))


async def change_schedule(context: Context, request: Request) -> Response:
    """Answer `PATCH /api/agent-schedules/{id}` with 200 and the schedule; with the job that was started now."""
    principal = await context.keys.authenticate(request)
    body = parsed(ScheduleChange, await limited_body(request))
    schedule, _ = await _found(context, principal, request.path_params["schedule_id"])
    if body.paused is not None:
        await context.container.ports.schedules.pause(schedule.id, paused=body.paused)
    started = [await run_now(context.container, schedule)] if body.run_now else []
    view = await _shown(context, principal, schedule.id)
    return JSONResponse(view | {"lastJobs": list(dict.fromkeys([*started, *view["lastJobs"]]))})


async def run_now(container: Container, schedule: QueueSchedule) -> str:
    """Start a schedule's job by a message of its own, as its next tick would; return the job's id."""
    event = parse_event(container.sealing.shown_message(schedule.body).encode())
    assert isinstance(event, AgentLoopInit), "it is one of ours"
    at_ms = container.ports.clock.now_ms()
    made = at_time(event, at_ms)
    await container.emitter.emit(made, deduplication_id=f"{schedule.id}.{at_ms}")
    return scheduled_job_id(schedule.id, str(at_ms))


async def delete_schedule(context: Context, request: Request) -> Response:
    """Answer `DELETE /api/agent-schedules/{id}` with 204; jobs that it started continue."""
    principal = await context.keys.authenticate(request)
    schedule, command = await _found(context, principal, request.path_params["schedule_id"])
    if fault := coded_fault(command):
        raise ApiError(409, fault)
    await drop_schedule(context.container, command.job["tenant"], schedule.id)
    return Response(status_code=204)


async def _shown(context: Context, principal: Principal, schedule_id: str) -> dict[str, Any]:
    (view,) = await schedule_views(context.container, [await _found(context, principal, schedule_id)])
    return view


async def _found(context: Context, principal: Principal, schedule_id: str) -> tuple[QueueSchedule, Recurrence]:
    # Only ours: a name of the queue's could be anything.
    is_ours = schedule_id.startswith(SCHEDULE_PREFIX)
    schedule = await context.container.ports.schedules.find(schedule_id) if is_ours else None
    command = recurrence_in(schedule, context.container.sealing) if schedule else None
    if schedule is None or command is None:
        raise ApiError(404, f"there is no schedule {schedule_id!r}")
    if not principal.may_see(command.job["tenant"]):
        raise ApiError(403, f"schedule {schedule_id!r} belongs to another tenant")
    return schedule, command
