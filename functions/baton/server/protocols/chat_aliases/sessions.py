"""`/api/chat/sessions`: sessions as seed 003 knows them, made, listed and answered in its words.

A session that is created is noted with the chats, so it is there before its first message. Must not: do anything that
the endpoints of sessions and chats do.
"""

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.server.api.auth import Keys
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.problem import limited_body, parsed, parsed_query
from baton.server.api.sessions.chat import ChatApi, ChatBody, requested_job
from baton.server.api.sessions.sessions import SessionsApi, session_of
from baton.server.api.stream_token import check_capacity
from baton.server.protocols.chat_aliases.bodies import SessionsQuery, StreamChatBody
from baton.worker.container import Container
from baton_events.timestamps import rfc3339

_ID = re.compile(r"session_([0-9]{1,15})_\w+")
# The tool of an answer in which none is under way.
CHAT_TOOL = "chat"


class ChatSessionsApi:
    """Endpoints of sessions."""

    def __init__(self, container: Container, keys: Keys, sessions: SessionsApi, chats: ChatApi) -> None:
        self._container = container
        self._keys = keys
        self._sessions = sessions
        self._chats = chats
        self._noted, self._clock = container.ports.chats, container.ports.clock

    async def create(self, request: Request) -> Response:
        """Answer `POST /api/chat/sessions` with 200 and the new session; its id contains its creation time."""
        principal = await self._keys.authenticate(request)
        now_ms = self._clock.now_ms()
        session_id = f"session_{now_ms}_{self._container.ports.randomness.token()}"
        await self._noted.note_session(principal.tenant, session_id, now_ms)
        return JSONResponse({"id": session_id, "user_id": principal.tenant, "created_at": rfc3339(now_ms)})

    async def listed(self, request: Request) -> Response:
        """Answer `GET /api/chat/sessions` with 200 and the sessions that were created here, the last used first."""
        principal, query = await self._keys.authenticate(request), parsed_query(SessionsQuery, request.query_params)
        until_ms, skipped = query.place
        most_ms = self._clock.now_ms() if until_ms is None else until_ms
        rows = await self._noted.newest_sessions(principal.tenant, most_ms, skipped, query.limit + 1)
        shown = rows[: query.limit]
        view: dict[str, Any] = {"sessions": [_row(session_id, used_ms) for session_id, used_ms in shown]}
        if len(rows) > len(shown):
            last_ms = shown[-1][1]
            before = sum(used_ms == last_ms for _, used_ms in shown) + (skipped if last_ms == most_ms else 0)
            view["cursor"] = f"{last_ms}-{before}"
        return JSONResponse(view)

    async def show(self, request: Request) -> Response:
        """Answer `GET /api/chat/sessions/{id}` with 200: its messages, and its running stream (`active_stream`)."""
        tenant, session_id = session_of(request, await self._keys.authenticate(request))
        found = _json_of(await self._sessions.show(request))
        used_ms = await self._noted.session_used_ms(tenant, session_id)
        times = [rfc3339(used_ms)] if used_ms is not None else []
        times += [one["metadata"]["createdAt"] for one in found["messages"] if "createdAt" in one["metadata"]]
        view = {
            "id": session_id,
            "user_id": tenant,
            "created_at": _made_at(session_id) or min(times, default=None),
            "updated_at": max(times, default=None),
            "messages": [each for message in found["messages"] for each in _messages(message)],
            "active_stream": _active(found),
        }
        return JSONResponse(view | ({"cursor": found["cursor"]} if "cursor" in found else {}))

    async def assign(self, request: Request) -> Response:
        """Answer `PATCH …/{id}/assign-user` with 200: a session belongs to its key's tenant from the beginning."""
        await self._sessions.must_exist(*session_of(request, await self._keys.authenticate(request)))
        return JSONResponse({"status": "ok"})

    async def cancel(self, request: Request) -> Response:
        """Answer `POST /api/chat/sessions/{id}/cancel` with 200: the task that was stopped."""
        found = _json_of(await self._sessions.cancel(request))
        return JSONResponse({"cancelled": found["cancelled"], "task_id": found["jobId"], "reason": found["reason"]})

    async def send(self, request: Request) -> Response:
        """Answer `POST …/{id}/stream` with 200 and the answer's stream; its `start` has the task's id."""
        principal = await self._keys.authenticate(request)
        tenant, session_id = session_of(request, principal)
        body = parsed(StreamChatBody, await limited_body(request))
        await self._sessions.must_exist(tenant, session_id)
        check_capacity(self._container, principal)
        name = idempotency_key_of(request) or self._container.ports.randomness.token()
        message = {"id": name[:200], "role": "user", "parts": [{"type": "text", "text": body.message}]}
        chat = ChatBody.model_validate({"id": session_id, "messages": [message]})
        requested = await requested_job(self._container, tenant, chat)
        requested.task["data"] = body.context or {}
        if not body.is_user_message:
            requested.task["chat"]["role"] = "assistant"
        await self._noted.note_session(tenant, session_id, self._clock.now_ms())
        return await self._chats.answered(request, principal, requested, chat)


def _json_of(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(response.body))
    return found


def _row(session_id: str, used_ms: int) -> dict[str, Any]:
    used_at = rfc3339(used_ms)
    return {"id": session_id, "created_at": _made_at(session_id) or used_at, "updated_at": used_at, "title": None}


def _made_at(session_id: str) -> str:
    made = _ID.fullmatch(session_id)
    return rfc3339(int(made[1])) if made else ""


def _active(session: dict[str, Any]) -> dict[str, Any] | None:
    """Return the running answer, else the oldest operation that still runs in the background, a task of its own."""
    stream: dict[str, Any] | None = session["activeStream"]
    for operation in session["activeOperations"][: 0 if stream else 1]:
        names = {"jobId": operation["operationJobId"], "operationId": operation["operationId"]}
        stream = names | {"lastMessageId": "0-0", "toolName": operation["tool"]}
    if stream is None:
        return None
    return {
        "turn_id": stream["jobId"],
        "task_id": stream["jobId"],
        "last_message_id": stream["lastMessageId"],
        "operation_id": stream["operationId"] or "",
        "tool_name": stream["toolName"] or CHAT_TOOL,
    }


def _messages(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Convert a message to the form of models' APIs: the answer, then the result of each of its tool calls."""
    texts = [part["text"] for part in message["parts"] if part["type"] == "text"]
    calls = [part for part in message["parts"] if "toolCallId" in part]
    shown = {"id": message["id"], "role": message["role"], "content": "\n\n".join(texts)}
    made = [
        {
            "id": call["toolCallId"],
            "type": "function",
            "function": {"name": call["type"].removeprefix("tool-"), "arguments": json.dumps(call["input"])},
        }
        for call in calls
    ]
    results = [
        {"role": "tool", "tool_call_id": call["toolCallId"], "content": _content(call)}
        for call in calls
        if call["state"] != "input-available"
    ]
    return [shown | ({"tool_calls": made} if made else {}), *results]


def _content(call: dict[str, Any]) -> str:
    output = call.get("output", call.get("errorText"))
    return output if isinstance(output, str) else json.dumps(output)
