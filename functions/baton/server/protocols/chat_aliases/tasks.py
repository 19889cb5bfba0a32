"""`/api/chat/tasks` and `/api/chat/operations` of seed 003: a task is a job, an operation the tool call that waits.

Must not: do anything that the endpoints of jobs and operations do.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, Code, limited_body, parsed
from baton.server.protocols.chat_aliases.bodies import OperationCompleteBody, tool_response_schema
from baton.server.protocols.chat_aliases.sessions import CHAT_TOOL
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
