"""Other ways to start a job: `POST /api/agent/start` and `POST /test/simple`.

The first is for clients that speak of workflows and conversations. The second is the scenario of the setup guide: it
runs a small job to its end and reports what happened. It is served only where ENABLE_TEST_ENDPOINT=true; it needs no
key, so it takes no input, and runs an agent of our own.
"""

import asyncio
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.agents.registry import UnknownAgentError
from baton.sdk.agents.trial import TRIAL_AGENT
from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.jobs.submission import SubjectId, SubmitBody
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.server.api.session_line import WhenBusy
from baton.settings.limits import SESSION_LIMIT_CHARS
from baton.worker.runtime.job_view import job_view


class StartBody(BaseModel):
    """The start of a workflow; `conversationId` is the session, a new one without it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    request: Annotated[str, Field(min_length=1)]
    conversation_id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)] | None = None
    agent: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    when_busy: WhenBusy = "queue"
    subject_id: SubjectId | None = None


async def start_agent(context: Context, request: Request) -> Response:
    """Answer 202 with `{"workflowId"}`: the job's id. `Idempotency-Key` is honoured."""
    principal = await context.keys.authenticate(request)
    body = parsed(StartBody, await limited_body(request))
    name = body.agent or context.container.settings.default_agent or context.container.registry.agents[0].name
    try:
        context.container.registry.agent(name)
    except UnknownAgentError as error:
        raise ApiError(422, str(error), [("agent", str(error))]) from error
    fields: dict[str, Any] = {"jobType": name, "taskDescription": body.request, "whenBusy": body.when_busy}
    fields["subjectId"] = body.subject_id
    submitted = SubmitBody.model_validate(
        fields | ({"sessionId": body.conversation_id} if body.conversation_id else {})
    )
    job = await context.jobs.accept(principal, submitted, idempotency_key_of(request))
    return JSONResponse({"workflowId": job.get("jobId") or job["id"]}, 202)


_TENANT = Principal("client", "test")
_LIMIT_SECONDS, _PAUSE_SECONDS = 60.0, 0.05


async def run_scenario(context: Context, _request: Request) -> Response:
    """Answer `POST /test/simple` with 200, the finished job and its events; 504 when it did not finish in time."""
    ports = context.container.ports
    if not context.container.settings.enable_test_endpoint:
        raise ApiError(404, "there is no /test/simple here: set ENABLE_TEST_ENDPOINT=true to serve it")
    task = {"jobType": TRIAL_AGENT, "taskDescription": "a small job that touches every event"}
    job_id: str = (await context.jobs.accept(_TENANT, SubmitBody.model_validate(task), ""))["id"]
    ended = await _ends(context, job_id)
    snapshot = await context.jobs.snapshot(_TENANT, job_id)
    parts = (await ports.reader.parts(job_id, 0)).parts
    answer: dict[str, Any] = {
        "job": job_view(snapshot, ports.clock.now_ms()),
        "events": [part["data"] for part in map(json.loads, parts) if part["type"] == "data-event"],
    }
    return JSONResponse(answer, 200 if ended else 504)


async def _ends(context: Context, job_id: str) -> bool:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            while True:
                stored = await context.container.ports.reader.parts(job_id, -1)
                if stored.job is not None and stored.job.ended:
                    return True
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        return False
