"""Schedules: jobs that recur, made and managed here, and the queue's other schedules."""

import json
from urllib.parse import urlencode

from starlette.responses import Response

from baton.server.api.problem import ApiError, parsed
from baton.server.api.schedules import (
    ScheduleBody,
    coded_fault,
    drop_schedule,
    made_schedule,
    recurrence_in,
    run_now,
    schedule_shown,
)
from baton.server.console.admin.overview_page import rows_of
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.job_actions import body_of, once_of
from baton_events.errors import MessageNotFoundError
from baton_events.ids import SCHEDULE_PREFIX

HOME = "/console/schedules"


async def show(visit: Visit) -> Response:
    found = [
        (each, recurrence_in(each, visit.container.sealing)) for each in await visit.container.ports.schedules.all()
    ]
    shown = [await schedule_shown(visit.container, each, command) if command else None for each, command in found]
    rows = [(each, view) for (each, _), view in zip(found, shown, strict=True)]
    known = await visit.container.ports.reader.jobs([name for view in shown if view for name in view["lastJobs"]])
    jobs = {job["id"]: job for job in await rows_of(visit, list(known.values()))}
    return visit.page("schedules.html", rows=rows, jobs=jobs)


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
    if found is None or (command := recurrence_in(found, visit.container.sealing)) is None:
        raise ApiError(404, f"there is no schedule {schedule_id!r} of jobs")
    listed = urlencode({"jobType": command.job["agent"], "tenant": command.job["tenant"]})
    return visit.go(f"/console/jobs?{listed}", f"Job {await run_now(visit.container, found)} is started.")


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
