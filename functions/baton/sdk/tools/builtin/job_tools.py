"""Tools over the running job: wait for a time or an event, keep and find notes in memory, look at an operation.

Invariant: nothing runs during a wait, which may last seconds or months, and the job holds no slot. Must not: reach
beyond the job's tenant; the context decides that.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.tool import tool
from baton_events.ids import call_of_operation, job_of_call
from baton_events.values.durations import LONGEST_SECONDS, Duration, plain_seconds, seconds_in_json

Note = Annotated[str, Field(min_length=1, max_length=4_000)]
Query = Annotated[str, Field(min_length=1, max_length=2_000)]
Limit = Annotated[int, Field(ge=1, le=50)]


@tool(capabilities={"memory"})
async def remember(text: Note, context: ToolContext) -> dict[str, Any]:
    """Remember something for later conversations: a fact, a decision, a preference.

    Args:
        text: what to remember, in words that make sense without this conversation.
        context: the call, whose session it is remembered with.
    """
    return await context.memory.remember(text)


@tool(capabilities={"memory"})
async def recall(query: Query, context: ToolContext, limit: Limit = 5) -> dict[str, Any]:
    """Look for what was remembered in earlier conversations, by meaning.

    Args:
        query: what to look for, in words.
        context: the call, whose memory is searched.
        limit: how many entries to give at most.
    """
    return await context.memory.recall(query, limit)


OperationId = Annotated[str, Field(min_length=1, max_length=300)]


@tool(capabilities={"waiting"})
async def operation_status(operation_id: OperationId, context: ToolContext) -> dict[str, Any]:
    """Say whether an operation that was started is done yet, and how it ended.

    Args:
        operation_id: the operation's id, such as op_….
        context: the call, whose tenant's operations are known.
    """
    return await context.operations.status(operation_id)


def _refusal(message: str, error: str) -> dict[str, Any]:
    return {"type": "error", "message": message, "error": error}


_STATUSES = {
    "running": "The {} is still running. Please wait for it to complete.",
    "completed": "The {} has completed successfully.",
    "failed": "The {} has failed.",
}


@tool(capabilities={"waiting"})
async def check_operation_status(
    context: ToolContext,
    operation_id: Annotated[str, Field(max_length=300)] = "",
    task_id: Annotated[str, Field(max_length=300)] = "",
) -> dict[str, Any]:
    """Check the current status of a long-running operation: running, completed or failed.

    Args:
        context: the call, whose tenant's operations are known.
        operation_id: the operation_id from an operation_started response.
        task_id: the task_id from an operation_started response, used where operation_id is not given or not known.
    """
    operation_id, task_id = operation_id.strip(), task_id.strip()
    if not operation_id and not task_id:
        return _refusal("Please provide an operation_id or task_id.", "missing_parameter")
    found = await context.operations.status(operation_id, task_id)
    if found["status"] == "unknown":
        message = "Operation not found: it may have expired. Check the conversation history for its result."
        return _refusal(message, "not_found")
    ended = "completed" if "result" in found or found["status"] == "completed" else "failed"
    status = ended if found["done"] else "running"
    return {
        "type": "operation_status",
        "message": _STATUSES[status].format(found["tool"]),
        "task_id": job_of_call(call_of_operation(found["operationId"])),
        "operation_id": found["operationId"],
        "status": status,
        "tool_name": found["tool"],
    }


# A time that is over is no wait: a deadline may have passed by the time that its rest is computed.
if TYPE_CHECKING:
    Seconds = Duration
else:
    Seconds = Annotated[
        float, BeforeValidator(seconds_in_json), Field(le=LONGEST_SECONDS), AfterValidator(partial(max, 0.0))
    ]


@tool(capabilities={"waiting"}, retries=0)
def sleep(seconds: Seconds) -> Pending:
    """Wait for a number of seconds.

    Args:
        seconds: how long, up to ten years.
    """
    seconds = plain_seconds(seconds)
    return Pending(timeout_seconds=seconds, otherwise={"sleptSeconds": seconds}, operation=False)


@tool(capabilities={"waiting"}, retries=0)
def sleep_until(time: AwareDatetime) -> Pending:
    """Wait until a time.

    Args:
        time: the time with its time zone, such as 2027-01-31T09:00:00+01:00.
    """
    return Pending(until=time, otherwise={"sleptUntil": time.isoformat()}, operation=False)


@tool(capabilities={"waiting"}, retries=0)
def wait_for_event(
    name: Annotated[str, Field(min_length=1, max_length=200)],
    timeout_seconds: Seconds,
    key: Annotated[str, Field(max_length=200)] | None = None,
) -> Pending:
    """Wait until an event of this name happens to the job; one that has happened before and was not waited for counts.

    Args:
        name: the event's name.
        timeout_seconds: how long at most; then the result is {"timedOut": true}.
        key: what the event is about, such as an order's number; then an event of this name and key ends the wait,
            whoever has sent it.
    """
    return Pending(timeout_seconds=timeout_seconds, event=name, key=key, operation=False)
