"""What an operator does to a job: start one, cancel it. Each button is a form; each answer says what was done."""

import json

from starlette.responses import Response

from baton.api.change_body import ChangeBody
from baton.api.jobs import JobsApi
from baton.api.problem import ApiError
from baton.api.submit_body import read_submit_body
from baton.console.form import field
from baton.console.gate import Visit
from baton.console.job_form import body_of, job_form
from baton.container import Container

_BEGINS = {"failure": "what failed", "start": "its start"}


class JobActions:
    """The forms about jobs."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._container = container
        self._jobs = jobs

    async def ask(self, visit: Visit) -> Response:
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
