"""Tasks of MCP servers: a call that returns a handle runs again later, with the handle, until its task is over.

Invariant: nothing runs between two polls of a task. The interval is the server's, and grows with the task's age, so a
task of a day costs some hundred polls. Imports the SDK: only calls do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from mcp import ClientSession
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, ElicitRequest, Request, RequestParams, Result
from pydantic import ValidationError

from baton.sdk.mcp.elicitation import ASKED, ELICITATION, asked_of_people
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool_error import ToolError
from baton_events.values.waits import wait_seconds

# The key in a call's memo of its task.
TASK = "task"
_SHORTEST_SECONDS, _LONGEST_SECONDS, _OF_ITS_AGE = 0.5, 300.0, 20
_MOST_LOST, _SHOWN_CHARS = 10, 100
INVALID, _GOES_ON = "mcp_invalid_result", ("working", "input_required")


class TaskHandle(Result):
    """The answer to a call that became a task."""

    result_type: Literal["task"] = "task"
    task_id: str
    poll_interval_ms: int | None = None


class TaskState(Result):
    status: str
    status_message: str | None = None
    poll_interval_ms: int | None = None
    result: CallToolResult | None = None
    error: dict[str, Any] | None = None
    input_requests: dict[str, dict[str, Any]] | None = None


class _OfTask(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class _GetTask(Request[_OfTask, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param: ClassVar[str | None] = "taskId"


class _UpdateTask(Request[_OfTask, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    name_param: ClassVar[str | None] = "taskId"


async def _by_later_runs(handle: TaskHandle, context: ClaimContext) -> CallToolResult:
    raise AssertionError(f"task {handle.task_id} of {context.tool_name} is looked at by later runs of its call")


class TasksExtension(ClientExtension):
    """Declares that calls may be answered with tasks."""

    identifier = "io.modelcontextprotocol/tasks"

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Accept handles as results."""
        return [ResultClaim(result_type="task", model=TaskHandle, resolve=_by_later_runs)]


def begun(handle: TaskHandle, now_ms: int) -> RunAgain:
    """Schedule the first poll of a new task."""
    task = {"id": handle.task_id, "sinceMs": now_ms, "intervalMs": handle.poll_interval_ms or 1000}
    return _later({TASK: task}, now_ms)


def lost(memo: Mapping[str, Any], now_ms: int) -> RunAgain | None:
    """Schedule another poll after an unanswered one; None: there were too many, or there is no task."""
    task = memo.get(TASK)
    if task is None or task.get("lost", 0) >= _MOST_LOST:
        return None
    return _later({**memo, TASK: {**task, "lost": task.get("lost", 0) + 1}}, now_ms)


async def looked_at(session: ClientSession, memo: dict[str, Any]) -> TaskState:
    """Send people's answers to the task, and read its state."""
    task_id, asked = memo[TASK]["id"], memo.get(ASKED)
    if asked is not None:
        answered = _OfTask(task_id=task_id, input_responses=asked["answers"])
        await session.send_request(_UpdateTask(params=answered), Result)
    return await session.send_request(_GetTask(params=_OfTask(task_id=task_id)), TaskState)


def outcome(found: TaskState, memo: dict[str, Any], now_ms: int) -> CallToolResult | RunAgain:
    """Return the task's result, or the next poll with its memo.

    Raises ToolError: it has failed, or was cancelled; or its state is none.
    """
    if found.result is not None:
        return found.result
    if found.status == "failed":
        reason = found.status_message or (found.error or {}).get("message")
        raise ToolError(str(reason or "the task failed and said nothing"), type="mcp_task_failed")
    if found.status == "cancelled":
        raise ToolError("the server has cancelled the task", type="mcp_task_cancelled")
    if found.status not in _GOES_ON:
        detail = f"the server gives its task the status {found.status[:_SHOWN_CHARS]!r}, without a result"
        raise ToolError(detail, type=INVALID)
    before, asked = memo[TASK], memo.get(ASKED, {"answers": {}})
    task = {**before, "lost": 0, "intervalMs": found.poll_interval_ms or before["intervalMs"]}
    # An answered question may still be pending in a poll right after the answer.
    task["answered"] = [*before.get("answered", []), *asked["answers"]]
    new = {key: _checked(key, one) for key, one in (found.input_requests or {}).items() if key not in task["answered"]}
    return RunAgain(memo={TASK: task, ASKED: asked_of_people(new)}) if new else _later({TASK: task}, now_ms)


def _checked(key: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request of a task. Raises ToolError: it asks people nothing that is a question."""
    if request.get("method") == ELICITATION:
        try:
            ElicitRequest.model_validate(request)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, ("inputRequests", key[:_SHOWN_CHARS], *fault["loc"])))
            raise ToolError(f"the server asks what is no question: {place}: {fault['msg']}", type=INVALID) from error
    return request


def _later(memo: dict[str, Any], now_ms: int) -> RunAgain:
    task = memo[TASK]
    age_seconds = max(0, now_ms - task["sinceMs"]) / 1000
    requested = wait_seconds(task["intervalMs"], 0.001) or 0
    seconds = max(_SHORTEST_SECONDS, requested, min(age_seconds / _OF_ITS_AGE, _LONGEST_SECONDS))
    if lost_times := task.get("lost", 0):
        seconds = max(seconds, min(seconds * 2**lost_times, _LONGEST_SECONDS))
    return RunAgain(after_seconds=seconds, memo=memo)
