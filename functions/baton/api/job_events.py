"""`POST /api/agent-jobs/{id}/events`: something happened that a job may wait for (CONTRACT, Jobs)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.any_json import AnyJson
from baton.api.auth import Keys
from baton.api.jobs import JobsApi
from baton.api.json_body import limited_body, parsed
from baton.api.kept_quota import KeptQuota
from baton.api.problem import ApiError
from baton.container import Container
from baton.core.redaction import redacted
from baton.ports import SignalResult
from baton_events.schema import Occurrence


class EventBody(BaseModel):
    """An event for a job; `data` is any JSON value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    data: AnyJson = None


class JobEventsApi:
    """Events for waiting jobs; kept for the job if nobody waits yet."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container = container
        self._keys = keys
        self._jobs = jobs
        self._quota = KeptQuota(container)

    async def post(self, request: Request) -> Response:
        """Take an event in → 202; 409 for a job that has ended, 429 where its tenant's quota is used up."""
        principal = await self._keys.authenticate(request)
        body = await self._read(request)
        snapshot = await self._jobs.snapshot(principal, request.path_params["job_id"])
        job = snapshot.job
        signal_result = SignalResult.ENDED
        if not job.ended:
            await self._quota.check(snapshot, body.name)
            data = self._container.secrets.hide_in(redacted(body.data))
            signal_result = await self._container.acceptance.outside(job, Occurrence(name=body.name, data=data))
        if signal_result.is_new:
            await self._quota.add(snapshot, body.name)
        if signal_result is SignalResult.ENDED:
            raise ApiError(409, f"job {job.id!r} has ended: nothing waits for event {body.name!r}")
        return JSONResponse({"jobId": job.id, "name": body.name}, 202)

    async def _read(self, request: Request) -> EventBody:
        limit_bytes = self._container.settings.result_limit_bytes
        return parsed(EventBody, await limited_body(request, limit_bytes, "RESULT_LIMIT_BYTES"))
