"""Chats, as AI SDK's `useChat` holds them: the chat is a session, each message of the user a job of it.

A request that comes again is known by its message's id, and is answered with the same job's stream. Stop is not
disconnect: who closes the connection changes nothing.
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from baton.api.auth import Keys
from baton.api.chat_body import read_chat_body
from baton.api.chat_job import asked_job
from baton.api.json_body import limited_body
from baton.api.permit import check_room
from baton.api.problem import ApiError
from baton.api.session_line import Sessions
from baton.api.session_path import session_of
from baton.api.stream import Streams
from baton.api.stream_token import must_cover
from baton.container import Container
from baton.ports import StoredParts

BODY_LIMIT_BYTES = 4_000_000  # `useChat` sends the whole conversation each time


class ChatApi:
    """Endpoints of chats."""

    def __init__(self, container: Container, keys: Keys) -> None:
        self._container = container
        self._keys = keys
        self._sessions = Sessions(container)
        self._streams = Streams(container, keys)

    async def send(self, request: Request) -> Response:
        """`POST /api/chat` → 200 and the answer's stream, from its start."""
        principal = await self._keys.authenticate(request)
        body = read_chat_body(await limited_body(request, BODY_LIMIT_BYTES))
        check_room(self._container, principal)  # before there is a job
        asked = await asked_job(self._container, principal.tenant, body)
        accepted = await self._sessions.submit(asked.job, asked.task, body.when_busy, may_exist=True)
        if asked.replaced is not None and not asked.replaced.ended:
            await self._sessions.stop([asked.replaced], f"job {asked.job.id}, which replaces its answer")
        if accepted.job.request_digest != asked.job.request_digest:
            detail = f"message {body.last.id!r} was sent with another text before: a new message needs a new id"
            raise ApiError(422, detail, [(f"messages.{len(body.messages) - 1}.id", detail)])
        reader = self._container.ports.reader
        stored = await reader.parts(asked.job.id, 0)
        # A read may be older than what was accepted just now.
        first = stored if stored.job is not None else StoredParts(accepted.job)
        return self._streams.answer(request, principal, first)

    async def resume(self, request: Request) -> Response:
        """`GET /api/chat/{id}/stream` → 200 and the running answer's stream, from its start; 204 where none runs."""
        principal = await self._keys.authenticate(request)
        tenant, session_id = session_of(request, principal)
        must_cover(request, tenant, "", session_id)
        line = await self._sessions.line(tenant, session_id)
        if not line:
            return Response(status_code=204)
        first = await self._container.ports.reader.parts(line[0].job.id, 0)
        return self._streams.answer(request, principal, replace(first, job=first.job or line[0].job))
