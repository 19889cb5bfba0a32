"""`POST /api/agent/start`: a job under another name, for clients that speak of workflows and conversations."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.agents.registry import UnknownAgentError
from baton.api.auth import Keys
from baton.api.chat_body import SESSION_LIMIT_CHARS
from baton.api.jobs import JobsApi, idempotency_key_of
from baton.api.json_body import parsed
from baton.api.problem import ApiError
from baton.api.session_line import WhenBusy
from baton.api.submit_body import SubmitBody
from baton.container import Container


class StartBody(BaseModel):
    """The start of a workflow; `conversation_id` is the session, a new one without it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    request: Annotated[str, Field(min_length=1)]
    conversation_id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)] | None = None
    agent: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    when_busy: WhenBusy = "queue"


class AgentStartApi:
    """The one endpoint."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container = container
        self._keys = keys
        self._jobs = jobs

    async def start(self, request: Request) -> Response:
        """202 `{"workflowId"}`: the job's id. `Idempotency-Key` is honoured."""
        principal = await self._keys.authenticate(request)
        body = parsed(StartBody, await request.body(), explains=True)
        name = body.agent or self._container.settings.default_agent or self._container.registry.agents[0].name
        try:
            self._container.registry.agent(name)
        except UnknownAgentError as error:
            raise ApiError(422, str(error), [("agent", str(error))]) from error
        fields = {"jobType": name, "taskDescription": body.request, "whenBusy": body.when_busy}
        submitted = SubmitBody.model_validate(
            fields | ({"sessionId": body.conversation_id} if body.conversation_id else {})
        )
        job = await self._jobs.accept(principal, submitted, idempotency_key_of(request), chats=True)
        return JSONResponse({"workflowId": job["id"]}, 202)
