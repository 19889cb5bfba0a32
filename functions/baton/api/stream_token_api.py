"""`POST /api/stream-tokens`: a short-lived token for a job's or a session's streams (CONTRACT, Streams and chat)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.auth import Keys, Principal
from baton.api.chat_body import SESSION_LIMIT_CHARS
from baton.api.jobs import JobsApi
from baton.api.json_body import parsed
from baton.api.stream_token import TOKEN_SECONDS, Grant, StreamTokens
from baton.container import Container
from baton_events.timestamps import rfc3339


class StreamTokenBody(BaseModel):
    """The job or the session to follow, one of both."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    job_id: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    session_id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "StreamTokenBody":
        if (self.job_id is None) == (self.session_id is None):
            raise ValueError("give jobId or sessionId, one of both")
        return self


class StreamTokensApi:
    """The one endpoint."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container = container
        self._keys = keys
        self._jobs = jobs
        self._tokens = StreamTokens(container.settings)

    async def make(self, request: Request) -> Response:
        """200 `{"token", "expiresAt"}`; 404 and 403 for a job that is unknown, or another tenant's."""
        principal = await self._keys.authenticate(request)
        body = parsed(StreamTokenBody, await request.body())
        expires_ms = self._container.ports.clock.now_ms() + TOKEN_SECONDS * 1000
        tenant = await self._tenant(principal, body)
        token = self._tokens.make(Grant(tenant, body.job_id or "", body.session_id or "", expires_ms))
        return JSONResponse({"token": token, "expiresAt": rfc3339(expires_ms)}, headers={"cache-control": "no-store"})

    async def _tenant(self, principal: Principal, body: StreamTokenBody) -> str:
        if body.job_id is None:
            return principal.tenant
        return (await self._jobs.snapshot(principal, body.job_id)).job.tenant
