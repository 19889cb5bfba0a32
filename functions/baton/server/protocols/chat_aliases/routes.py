"""The routes of seed 003's chat API; of them `/api/chat/tasks` and `/api/chat/operations`, whole.

A task is a job, an operation the tool call that waits. Must not: do anything that the endpoints of jobs and operations
do.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, Code, limited_body, parsed
from baton.server.api.route import ApiRoute
from baton.server.api.sessions.chat import ChatApi
from baton.server.api.sessions.sessions import SessionsApi
from baton.server.api.stream import show_stream
from baton.server.protocols.chat_aliases.bodies import OperationCompleteBody, tool_response_schema
from baton.server.protocols.chat_aliases.sessions import CHAT_TOOL, ChatSessionsApi
from baton.settings.limits import TASK_BYTES
from baton.worker.commands.signal import UnknownOperationError, operations_of
from baton.worker.executors.continuing import completed
from baton_events.ids import call_of_operation, job_of_call
from baton_events.timestamps import rfc3339


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
    return JSONResponse(tool_response_schema())


def task_status(job: Job) -> str:
    """Return the job's status as one of the seed's three."""
    if not job.ended:
        return "running"
    return "completed" if job.status is JobStatus.COMPLETED else "failed"


def chat_alias_routes(context: Context, native: SessionsApi) -> list[ApiRoute]:
    """Build the routes; they come before the routes of chats, one of which takes any path."""
    to, chats = context.serves, ChatApi(context.container, context.keys)
    sessions = ChatSessionsApi(context.container, context.keys, native, chats)
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
        ApiRoute("POST", every, "client", sessions.create, "create a session"),
        ApiRoute("GET", every, "client", sessions.listed, lists),
        ApiRoute("POST", f"{one}/stream", "client", sessions.send, sends, TASK_BYTES),
        ApiRoute("GET", f"{one}/stream", "stream", chats.resume, resumes),
        ApiRoute("POST", f"{one}/cancel", "client", sessions.cancel, cancels),
        ApiRoute("PATCH", f"{one}/assign-user", "client", sessions.assign, "200 for a session of the key's tenant"),
        ApiRoute("GET", one, "client", sessions.show, shows),
        ApiRoute("DELETE", one, "client", native.delete, "as `DELETE /api/sessions/{session_id}`"),
        ApiRoute("GET", "/api/chat/tasks/{task_id}", "client", to(show_task), reads),
        ApiRoute("GET", "/api/chat/tasks/{job_id}/stream", "stream", to(show_stream), follows),
        ApiRoute("POST", completion, "operations", to(complete_task_operation), completes, *limit),
        ApiRoute("GET", "/api/chat/schema/tool-responses", "client", to(show_tool_response_schema), schema),
    ]
