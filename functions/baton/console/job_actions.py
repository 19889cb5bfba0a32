"""What an operator does to a job: start one, now or by a schedule, and cancel it.

Each button is a form, and each answer confirms what was done.
"""

import json
from typing import Any

from starlette.responses import Response

from baton.agents.registry import Registry
from baton.api.jobs.job import ChangeBody, JobsApi
from baton.api.jobs.submission import read_submit_body
from baton.api.problem import ApiError
from baton.console.form import Form, field, read_object
from baton.console.gate import Visit
from baton.container import Container

_FIRST_PRIORITY, _LAST_PRIORITY = 9, 0


def job_form(
    visit: Visit, registry: Registry, given: dict[str, str], faults: dict[str, str], status: int = 200
) -> Response:
    """The form with what was typed; with `cron` in it, a schedule's."""
    return visit.page(
        "start.html",
        status,
        given=given,
        faults=faults,
        agents=[agent.name for agent in registry.agents],
        priorities=range(_FIRST_PRIORITY, _LAST_PRIORITY - 1, -1),
    )


def body_of(form: Form) -> dict[str, Any]:
    """The submission that the form means.

    Raises:
        ApiError: 422, a field cannot be read as what it is.
    """
    body: dict[str, Any] = {"jobType": field(form, "jobType"), "taskDescription": field(form, "taskDescription")}
    body["inputData"] = read_object(field(form, "inputData"), "inputData")
    priority = field(form, "priority") or "5"
    body["priority"] = int(priority) if priority.isascii() and priority.isdecimal() else priority
    if field(form, "sessionId"):
        body["sessionId"] = field(form, "sessionId")
    return body


_BEGINS = {"failure": "what failed", "start": "its start"}


class JobActions:
    """The forms about jobs."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._container = container
        self._jobs = jobs

    async def form(self, visit: Visit) -> Response:
        """The form that starts a job; the query may fill it in."""
        token = self._container.ports.randomness.token()
        given = {name: visit.query(name) for name in ("jobType", "taskDescription", "sessionId")}
        return job_form(visit, self._container.registry, {**given, "inputData": "", "priority": "5", "once": token}, {})

    async def start(self, visit: Visit) -> Response:
        """Start it, once however often the form is sent; what is wrong is said at its field, and the input kept."""
        given = {name: field(visit.form, name) for name in ("jobType", "taskDescription", "inputData", "sessionId")}
        given |= {"priority": field(visit.form, "priority") or "5", "once": field(visit.form, "once")}
        try:
            body = read_submit_body(json.dumps(body_of(visit.form)).encode())
            job = await self._jobs.accept(visit.principal, body, f"console {given['once']}" if given["once"] else "")
        except ApiError as error:
            if not error.faults:
                raise
            return job_form(visit, self._container.registry, given, dict(error.faults), error.status)
        return visit.go(f"/console/jobs/{job['id']}", "The job is accepted.")

    async def cancel(self, visit: Visit) -> Response:
        """Cancel at once."""
        job_id = visit.request.path_params["job_id"]
        await self._jobs.changed(visit.principal, job_id, ChangeBody(action="cancel"))
        return visit.go(f"/console/jobs/{job_id}", "The job is cancelled.")

    async def retry(self, visit: Visit) -> Response:
        """Run an ended job again: from what failed, or from its start."""
        job_id = visit.request.path_params["job_id"]
        begin = "start" if field(visit.form, "from") == "start" else "failure"
        await self._jobs.changed(visit.principal, job_id, ChangeBody.model_validate({"action": "retry", "from": begin}))
        return visit.go(f"/console/jobs/{job_id}", f"The job runs again, from {_BEGINS[begin]}.")

    async def delete(self, visit: Visit) -> Response:
        """Delete an ended job's data."""
        job_id = visit.request.path_params["job_id"]
        await self._jobs.remove(visit.principal, job_id)
        return visit.go("/console/jobs", f"The data of job {job_id} is deleted.")
