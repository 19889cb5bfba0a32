"""Chats, as AI SDK's `useChat` holds them: the chat is a session, each message of the user a job of it.

A request that comes again is known by its message's id, and is answered with the same job's stream. Stop is not
disconnect: who closes the connection changes nothing.
"""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from events.core.state import Job
from events.ids import chat_job_id
from events.ports import StoredParts
from functions.agents.registry import UnknownAgentError
from functions.api.auth import Keys, Principal
from functions.api.chat_body import ChatBody, read_chat_body
from functions.api.json_body import limited_body
from functions.api.problem import ApiError
from functions.api.session_path import session_of
from functions.api.stream import stream_response
from functions.api.submit_body import SubmitBody, new_job
from functions.container import Container
from functions.sessions import Sessions

BODY_LIMIT_BYTES = 4_000_000  # `useChat` sends the whole conversation each time


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks: the job, and its task."""

    job: Job
    task: dict[str, Any]


class ChatApi:
    """Endpoints of chats."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys
        self._sessions = Sessions(container)

    async def send(self, request: Request) -> Response:
        """`POST /api/chat` → 200 and the answer's stream, from its start."""
        principal = await self._keys.authenticate(request)
        body = read_chat_body(await limited_body(request, BODY_LIMIT_BYTES))
        asked = self._asked(principal, body)
        accepted = await self._sessions.submit(asked.job, asked.task, body.when_busy, may_exist=True)
        if accepted.job.request_digest != asked.job.request_digest:
            detail = f"message {body.last.id!r} was sent with another text before: a new message needs a new id"
            raise ApiError(422, detail, [(f"messages.{len(body.messages) - 1}.id", detail)])
        reader = self._container.ports.reader
        stored = await reader.parts(asked.job.id, 0)
        # A read may be older than what was accepted just now.
        first = stored if stored.job is not None else StoredParts(accepted.job)
        return stream_response(reader, asked.job.id, first)

    async def resume(self, request: Request) -> Response:
        """`GET /api/chat/{id}/stream` → 200 and the running answer's stream, from its start; 204 where none runs."""
        tenant, session_id = session_of(request, await self._keys.authenticate(request))
        line = await self._sessions.line(tenant, session_id)
        if not line:
            return Response(status_code=204)
        reader, job_id = self._container.ports.reader, line[0].job.id
        return stream_response(reader, job_id, await reader.parts(job_id, 0))

    def _asked(self, principal: Principal, body: ChatBody) -> Asked:
        container = self._container
        name = body.agent or container.settings.default_agent or container.registry.agents[0].name
        try:
            agent = container.registry.agent(name)
        except UnknownAgentError as error:
            raise ApiError(422, str(error), [("agent", str(error))]) from error
        job = new_job(
            SubmitBody.model_validate({"jobType": agent.name, "taskDescription": body.text, "sessionId": body.id}),
            container.registry,
            job_id=chat_job_id(principal.tenant, body.id, body.last.id, ""),
            session_id=body.id,
            tenant=principal.tenant,
            now_ms=container.ports.clock.now_ms(),
        )
        return Asked(job, {"text": body.text, "chat": {"messageId": body.last.id}})
