"""Schedules: jobs that recur, made and managed here, and the queue's other schedules."""

import asyncio
import json

from starlette.responses import Response

from baton.server.api.problem import ApiError, parsed
from baton.server.api.schedules import (
    ScheduleBody,
    coded_fault,
    drop_schedule,
    made_schedule,
    recurrence_in,
    run_now,
    schedule_views,
)
from baton.server.console.admin.overview_page import rows_of
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.job_actions import body_of, once_of
from baton_events.errors import MessageNotFoundError
from baton_events.ids import SCHEDULE_PREFIX

HOME = "/console/schedules"


async def show(visit: Visit) -> Response:
    every = await visit.container.ports.schedules.all()
    ours = [(each, command) for each in every if (command := recurrence_in(each, visit.container.sealing))]
    views = {view["id"]: view for view in await schedule_views(visit.container, ours)}
    for each, command in ours:
        shared = next(name for name in ("sessionId", "jobType") if views[each.id][name])
        views[each.id]["listed"] = {"tenant": command.job["tenant"], shared: views[each.id][shared]}
    known = await visit.container.ports.reader.jobs([name for view in views.values() for name in view["lastJobs"]])
    jobs = {job["id"]: job for job in await rows_of(visit, list(known.values()))}
    return visit.page("schedules.html", rows=[(each, views.get(each.id)) for each in every], jobs=jobs)


async def make(visit: Visit) -> Response:
    """Make a schedule, once however often the form is sent."""
    times = {"cron": field(visit.form, "cron"), "timeZone": field(visit.form, "timeZone") or "UTC"}
    body = parsed(ScheduleBody, json.dumps(body_of(visit.form) | times).encode())
    made = await made_schedule(visit.context, visit.principal, body, once_of(visit.form))
    return visit.go(HOME, f"Schedule {made['id']} is made.")


async def pause_or_resume(visit: Visit) -> Response:
    schedule_id, paused = visit.request.path_params["schedule_id"], field(visit.form, "paused") == "yes"
    try:
        await visit.container.ports.schedules.pause(schedule_id, paused=paused)
    except MessageNotFoundError as error:
        raise ApiError(404, f"there is no schedule {schedule_id!r}") from error
    return visit.go(HOME, f"Schedule {schedule_id} {'is paused' if paused else 'is resumed'}.")


async def run(visit: Visit) -> Response:
    schedule_id = visit.request.path_params["schedule_id"]
    found = await visit.container.ports.schedules.find(schedule_id)
    if found is None or recurrence_in(found, visit.container.sealing) is None:
        raise ApiError(404, f"there is no schedule {schedule_id!r} of jobs")
    job_id = await run_now(visit.container, found)
    for _ in range(10):  # a message starts it, unless it is skipped
        if job_id in await visit.container.ports.reader.jobs([job_id]):
            return visit.go(f"/console/jobs/{job_id}", "The job is started.")
        await asyncio.sleep(0.1)
    return visit.go(HOME, f"Job {job_id} is to start: the queue has its message.")


async def delete(visit: Visit) -> Response:
    """Delete a schedule of ours; jobs that it started continue."""
    schedule_id = visit.request.path_params["schedule_id"]
    if not schedule_id.startswith(SCHEDULE_PREFIX):
        raise ApiError(409, f"schedule {schedule_id!r} starts no job, so it is not deleted from here: pause it")
    found = await visit.container.ports.schedules.find(schedule_id)
    command = recurrence_in(found, visit.container.sealing) if found else None
    if command and (fault := coded_fault(command)):
        raise ApiError(409, fault)
    if command:
        await drop_schedule(visit.container, command.job["tenant"], schedule_id)
    else:
        await visit.container.ports.schedules.delete(schedule_id)
    return visit.go(HOME, f"Schedule {schedule_id} is deleted.")
