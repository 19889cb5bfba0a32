"""Seed 003's chat API: sessions, tasks and operations, made, listed and answered in its words.

A session that is created is noted with the chats, so it is there before its first message. A task is a job, an
operation the tool call that waits. Names and types are the seed's. Must not: do anything that the endpoints of
sessions, chats, jobs and operations do.
"""

import json
import re
from dataclasses import replace
from typing import Annotated, Any, Literal

from msgspec import structs
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.records.any_json import AnyJson, JsonObject
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.problem import ApiError, Code, limited_body, parsed, parsed_query
from baton.server.api.route import ApiRoute
from baton.server.api.sessions.chat import MESSAGE_ID_LIMIT_CHARS, ChatBody, answered, requested_job, resume_chat
from baton.server.api.sessions.sessions import cancel_session, delete_session, must_exist, session_of, show_session
from baton.server.api.stream import show_stream
from baton.server.api.stream_token import check_capacity
from baton.settings.limits import TASK_BYTES
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.commands.signal import UnknownOperationError, operations_of
from baton.worker.executors.continuing import completed
from baton_events.ids import call_of_operation, digest, job_of_call
from baton_events.timestamps import rfc3339

_OBJECT_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}, {"type": "null"}]})
_FROM_CLIENTS = ConfigDict(extra="ignore", frozen=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("there is no text to answer")
    return text


def _object_or_text(value: Any) -> Any:
    if not isinstance(value, dict | str | None):
        raise ValueError("must be an object or a text")  # noqa: TRY004 - pydantic takes no other
    return value


class StreamChatBody(BaseModel):
    """A message of a session. `is_user_message` false: a program sends it; `context`: what the model gets besides."""

    model_config = _FROM_CLIENTS

    message: Annotated[str, AfterValidator(_not_blank)]
    is_user_message: bool = True
    context: JsonObject | None = None


class OperationCompleteBody(BaseModel):
    """The outcome of an operation; of `result` and `error` the one counts that `success` says."""

    model_config = _FROM_CLIENTS

    success: Annotated[bool, Field(strict=True)]
    result: Annotated[AnyJson, AfterValidator(_object_or_text), _OBJECT_OR_TEXT] = None
    error: str | None = None

    @property
    def completion(self) -> CompletionBody:
        """The same outcome, as our endpoint takes it."""
        if self.success:
            return CompletionBody(success=True, result=self.result)
        return CompletionBody(success=False, error=self.error)


class SessionsQuery(BaseModel):
    """A page of sessions; `cursor`: where it begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}-[0-9]{1,9}$")] | None = None

    @property
    def place(self) -> tuple[int | None, int]:
        """The latest time of the first session, in ms (None: now), and the number of sessions of that time to skip."""
        if self.cursor is None:
            return None, 0
        until_ms, _, shown = self.cursor.partition("-")
        return int(until_ms), int(shown)


class OperationStartedResponse(BaseModel):
    """The answer of a tool whose operation continues; `task_id`: the task whose stream shows its progress."""

    type: Literal["operation_started"] = "operation_started"
    message: str
    operation_id: str
    tool_name: str
    task_id: str | None = None


class OperationPendingResponse(BaseModel):
    """The conversation's entry while an operation continues."""

    type: Literal["operation_pending"] = "operation_pending"
    message: str
    operation_id: str
    tool_name: str


class OperationInProgressResponse(BaseModel):
    """The answer to a repeated call that still runs."""

    type: Literal["operation_in_progress"] = "operation_in_progress"
    message: str
    tool_call_id: str


class OperationStatusResponse(BaseModel):
    """The answer of `check_operation_status`."""

    type: Literal["operation_status"] = "operation_status"
    message: str
    task_id: str
    operation_id: str
    status: Literal["running", "completed", "failed"]
    tool_name: str | None = None


class ErrorResponse(BaseModel):
    """The answer of a tool that fails."""

    type: Literal["error"] = "error"
    message: str
    error: str | None = None


ToolResponse = (
    OperationStartedResponse
    | OperationPendingResponse
    | OperationInProgressResponse
    | OperationStatusResponse
    | ErrorResponse
)


_ID = re.compile(r"session_([0-9]{1,15})_\w+")
# The tool of an answer in which none is under way.
CHAT_TOOL = "chat"


async def create(context: Context, request: Request) -> Response:
    """Answer `POST /api/chat/sessions` with 200 and the new session; its id contains its creation time."""
    principal = await context.keys.authenticate(request)
    now_ms = context.container.ports.clock.now_ms()
    session_id = f"session_{now_ms}_{context.container.ports.randomness.token()}"
    await context.container.ports.chats.note_session(principal.tenant, session_id, now_ms)
    return JSONResponse({"id": session_id, "user_id": principal.tenant, "created_at": rfc3339(now_ms)})


async def listed(context: Context, request: Request) -> Response:
    """Answer `GET /api/chat/sessions` with 200 and the sessions that were created here, the last used first."""
    principal, query = await context.keys.authenticate(request), parsed_query(SessionsQuery, request.query_params)
    until_ms, skipped = query.place
    most_ms = context.container.ports.clock.now_ms() if until_ms is None else until_ms
    rows = await context.container.ports.chats.newest_sessions(principal.tenant, most_ms, skipped, query.limit + 1)
    shown = rows[: query.limit]
    view: dict[str, Any] = {"sessions": [_row(*each) for each in shown]}
    if len(rows) > len(shown):
        last_ms = shown[-1][1]
        before = sum(used_ms == last_ms for _, used_ms in shown) + (skipped if last_ms == most_ms else 0)
        view["cursor"] = f"{last_ms}-{before}"
    return JSONResponse(view)


async def show(context: Context, request: Request) -> Response:
    """Answer `GET /api/chat/sessions/{id}` with 200: its messages, and its running stream (`active_stream`)."""
    tenant, session_id = session_of(request, await context.keys.authenticate(request))
    found = _json_of(await show_session(context, request))
    used_ms = await context.container.ports.chats.session_used_ms(tenant, session_id)
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


async def assign(context: Context, request: Request) -> Response:
    """Answer `PATCH …/{id}/assign-user` with 200: a session belongs to its key's tenant from the beginning."""
    await must_exist(context, *session_of(request, await context.keys.authenticate(request)))
    return JSONResponse({"status": "ok"})


async def cancel(context: Context, request: Request) -> Response:
    """Answer `POST /api/chat/sessions/{id}/cancel` with 200: the task that was stopped."""
    found = _json_of(await cancel_session(context, request))
    return JSONResponse({"cancelled": found["cancelled"], "task_id": found["jobId"], "reason": found["reason"]})


async def send(context: Context, request: Request) -> Response:
    """Answer `POST …/{id}/stream` with 200 and the answer's stream; its `start` has the task's id."""
    principal = await context.keys.authenticate(request)
    tenant, session_id = session_of(request, principal)
    body = parsed(StreamChatBody, await limited_body(request))
    await must_exist(context, tenant, session_id)
    check_capacity(context.container, principal)
    name = idempotency_key_of(request) or context.container.ports.randomness.token()
    name = name if len(name) <= MESSAGE_ID_LIMIT_CHARS else digest(name)
    message = {"id": name, "role": "user", "parts": [{"type": "text", "text": body.message}]}
    chat = ChatBody.model_validate({"id": session_id, "messages": [message]})
    requested = await requested_job(context.container, tenant, chat)
    requested.task["data"] = body.context or {}
    if not body.is_user_message:
        requested.task["chat"]["role"] = "assistant"
    if body.context or not body.is_user_message:
        whole = digest(requested.job.request_digest, body.context or {}, body.is_user_message)
        requested = replace(requested, job=structs.replace(requested.job, request_digest=whole))
    await context.container.ports.chats.note_session(tenant, session_id, context.container.ports.clock.now_ms())
    return await answered(context, request, principal, requested, chat)


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
    entries = [shown | ({"tool_calls": made} if made else {})]
    for call in calls:
        if call["state"] != "input-available":
            output = call.get("output", call.get("errorText"))
            content = output if isinstance(output, str) else json.dumps(output)
            entries.append({"role": "tool", "tool_call_id": call["toolCallId"], "content": content})
    return entries


async def show_task(context: Context, request: Request) -> Response:
    """Answer `GET /api/chat/tasks/{id}` with 200; 404 for one that is unknown, deleted, or another tenant's."""
    job_id = request.path_params["task_id"]
    try:
        snapshot = await context.jobs.snapshot(await context.keys.authenticate(request), job_id)
    except ApiError as error:
        if error.code not in (Code.TASK_NOT_FOUND, Code.TASK_EXPIRED, Code.ACCESS_DENIED):
            raise
        raise ApiError(404, f"there is no task {job_id!r}", code=Code.TASK_NOT_FOUND) from error
    open_calls = [call.tool for call in snapshot.calls if call.finished_at_ms is None]
    operations = operations_of(snapshot)
    view = {
        "task_id": job_id,
        "session_id": snapshot.job.session_id,
        "status": task_status(snapshot.job),
        "tool_name": open_calls[-1] if open_calls else CHAT_TOOL,
        "operation_id": operations[-1].operation_id if operations else "",
        "created_at": rfc3339(snapshot.job.created_at_ms),
    }
    return JSONResponse(view)


async def complete_task_operation(context: Context, request: Request) -> Response:
    """Answer `POST /api/chat/operations/{id}/complete` with 200, also when repeated; 404 for an unknown one."""
    operation_id = request.path_params["operation_id"]
    raw = await limited_body(request)
    body = parsed(OperationCompleteBody, raw)
    try:
        await completed(context.container, operation_id, body.completion)
    except UnknownOperationError as error:
        raise ApiError(404, str(error), code=Code.OPERATION_NOT_FOUND) from error
    return JSONResponse({"status": "ok", "task_id": job_of_call(call_of_operation(operation_id))})


async def show_tool_response_schema(_context: Context, _request: Request) -> Response:
    """Answer `GET /api/chat/schema/tool-responses` with 200 and the JSON Schema of the tools' answers."""
    return JSONResponse(TypeAdapter[Any](ToolResponse).json_schema())


def task_status(job: Job) -> str:
    if not job.ended:
        return "running"
    return "completed" if job.status is JobStatus.COMPLETED else "failed"


def chat_alias_routes(context: Context) -> list[ApiRoute]:
    """Build the routes; they come before the routes of chats, one of which takes any path."""
    to = context.serves
    every, limit = "/api/chat/sessions", (context.container.settings.result_limit_bytes, "RESULT_LIMIT_BYTES")
    one = f"{every}/{{session_id:any}}"
    sends = '`{"message", "is_user_message", "context"}`: a message of the session; 200 and the answer\'s stream'
    lists = "sessions that were created here, the last used first; `limit`, `cursor`"
    shows = "its messages, and what streams (`active_stream`)"
    resumes = "the stream of `POST /api/chat/sessions/{session_id}/stream` from its start, 204 if none runs"
    reads = "a job as seed 003 shows it: running, completed or failed; 404 for another tenant's"
    follows = "as `/api/agent-jobs/{job_id}/stream`; resume with `?last_message_id=`"
    completes = "as `POST /api/operations/{operation_id}/complete`"
    cancels = "stop what runs in it: `cancelled`, `task_id`, `reason`"
    schema = "what tools of seed 003's chats answer, as JSON Schema"
    completion = "/api/chat/operations/{operation_id}/complete"
    return [
        ApiRoute("POST", every, "client", to(create), "create a session"),
        ApiRoute("GET", every, "client", to(listed), lists),
        ApiRoute("POST", f"{one}/stream", "client", to(send), sends, TASK_BYTES),
        ApiRoute("GET", f"{one}/stream", "stream", to(resume_chat), resumes),
        ApiRoute("POST", f"{one}/cancel", "client", to(cancel), cancels),
        ApiRoute("PATCH", f"{one}/assign-user", "client", to(assign), "200 for a session of the key's tenant"),
        ApiRoute("GET", one, "client", to(show), shows),
        ApiRoute("DELETE", one, "client", to(delete_session), "as `DELETE /api/sessions/{session_id}`"),
        ApiRoute("GET", "/api/chat/tasks/{task_id}", "client", to(show_task), reads),
        ApiRoute("GET", "/api/chat/tasks/{job_id}/stream", "stream", to(show_stream), follows),
        ApiRoute("POST", completion, "operations", to(complete_task_operation), completes, *limit),
        ApiRoute("GET", "/api/chat/schema/tool-responses", "client", to(show_tool_response_schema), schema),
    ]
