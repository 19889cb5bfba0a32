"""`POST /api/agent-jobs/{id}/events`: something happened that a job may wait for (CONTRACT, Jobs)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from events.core.redaction import redacted
from events.errors import TooLargeError
from events.ids import canonical_json
from events.ports import Heeded
from events.schema import Occurrence
from functions.api.auth import Keys
from functions.api.jobs import JobsApi
from functions.api.problem import ApiError, invalid
from functions.edge import read_body
from functions.wiring import Container


class EventBody(BaseModel):
    """What happened; `data` is any JSON value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    data: Any = None

    @field_validator("data")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        canonical_json(value).encode()  # pydantic reads NaN, Infinity and half surrogates, which nobody can read back
        return value


class JobEventsApi:
    """Events for waiting jobs; kept for the job if nobody waits yet."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container = container
        self._keys = keys
        self._jobs = jobs

    async def post(self, request: Request) -> Response:
        """Take an event in → 202; 409 for a job that has ended."""
        principal = self._keys.authenticate(request)
        body = await self._read(request)
        job = (await self._jobs.snapshot(principal, request.path_params["job_id"])).job
        heeded = Heeded.ENDED
        if not job.ended:
            data = self._container.secrets.hide_in(redacted(body.data))
            heeded = await self._container.acceptance.outside(job, Occurrence(name=body.name, data=data))
        if heeded is Heeded.ENDED:
            raise ApiError(409, f"job {job.id!r} has ended: nothing waits for event {body.name!r}")
        return JSONResponse({"jobId": job.id, "name": body.name}, 202)

    async def _read(self, request: Request) -> EventBody:
        limit_bytes = self._container.settings.result_limit_bytes
        try:
            raw = await read_body(request, limit_bytes)
        except TooLargeError as error:
            raise ApiError(413, f"{error}; RESULT_LIMIT_BYTES is {limit_bytes}") from error
        try:
            return EventBody.model_validate_json(raw)
        except ValidationError as error:
            if any(fault["type"] == "json_invalid" for fault in error.errors()):
                raise ApiError(400, "the body is not JSON") from error
            raise invalid(error, "body") from error
