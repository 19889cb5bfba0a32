"""`GET /api/agent-jobs/{id}/results/{callId}`: one tool call's result, for those too large for the job's own answer."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.auth import Keys
from baton.api.no_job import no_job
from baton.api.problem import ApiError
from baton.container import Container
from baton.core.transitions import CallStatus


class JobResultsApi:
    """The one endpoint."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._ports = container.ports
        self._keys = keys

    async def show(self, request: Request) -> Response:
        """200 `{"jobId", "callId", "result"}`; 404 for a call that is unknown, or has no result (yet)."""
        principal = await self._keys.authenticate(request)
        job_id, call_id = request.path_params["job_id"], request.path_params["call_id"]
        job, call, stored = await self._ports.reader.result(job_id, call_id)
        if job is None:
            raise await no_job(self._ports.archive, principal, job_id)
        if not principal.may_see(job.tenant):
            raise ApiError(403, f"job {job_id!r} belongs to another tenant")
        if call is None or call.status is not CallStatus.COMPLETED or "ok" not in stored:
            raise ApiError(404, f"job {job_id!r} has no result of a tool call {call_id!r}")
        return JSONResponse({"jobId": job_id, "callId": call_id, "result": stored["ok"]})
