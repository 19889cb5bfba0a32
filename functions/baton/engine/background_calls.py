"""Calls that continue in the background: each as a job of its own, an operation, which consists of this one call.

Invariant: the operation's id follows from the call, so starting it again starts nothing twice. It has no turns: its end
is the call's, and a job that continues the session follows it. Pure.

Source: decisions/0023-background-calls.
"""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from baton.engine import stream_parts, tool_call
from baton.engine.effects import Changes, Decision
from baton.engine.lifecycle import submitted
from baton.engine.state import OF_SESSION, CallRecord, Job, State, call_item
from baton.engine.step_results import Submitted, ToolNeedsApproval, ToolRunsAgain, ToolWaits
from baton.engine.transcript import task_entry
from baton.engine.transitions import JobStatus
from baton.sdk.records.redaction import redacted
from baton_events.ids import call_of_operation, call_of_operation_job, job_of_call, operation_id, operation_job_id

# Task key: the call that the job consists of. Clients cannot set it.
OPERATION = "operation"
CallWaits = ToolWaits | ToolRunsAgain | ToolNeedsApproval


def call_of(job: Job, call: CallRecord) -> str:
    """Return the id that a job's call has in the background."""
    return call_of_operation_job(operation_job_id(call.id, job.run))


def started_in(calls: Iterable[CallRecord]) -> list[str]:
    """Return the jobs of the operations that continue these calls."""
    named = ((call.id, call_of_operation(call.operation_id)) for call in calls if call.operation_id)
    return [job_of_call(background_id) for call_id, background_id in named if background_id != call_id]


def operation_of(
    job: Job, call: CallRecord, arguments: dict[str, Any], waits: CallWaits | None, now_ms: int
) -> Submitted:
    """Return the submission that continues a call. `waits`: what the call waits for; None: it has yet to run."""
    background_id = call_of(job, call)
    task: dict[str, Any] = {"id": background_id, "tool": call.tool, "arguments": arguments, "retries": call.retries}
    task |= {"retryDelaySeconds": call.retry_delay_seconds, "isolated": call.isolated}
    match waits:
        case ToolWaits():
            wait = {"event": waits.event, "timeoutResult": waits.timeout_result, "operationId": waits.operation_id}
            task |= {"arguments": redacted(arguments), "untilMs": waits.until_ms, "wait": wait}
        case ToolNeedsApproval():
            task |= {"arguments": waits.arguments, "untilMs": waits.until_ms, "title": waits.title}
            task |= {"escalateMs": waits.escalates_ms} if waits.escalates_ms else {}
            task |= {"people": waits.people} if waits.people > 1 else {}
            task |= {"data": waits.data} if waits.data is not None else {}
            if waits.form is not None:
                task |= {"arguments": arguments, "beginsWith": waits.arguments, "form": waits.form, "memo": waits.memo}
        case ToolRunsAgain():
            task |= {"atMs": waits.at_ms, "memo": waits.memo}
        case None:
            pass
    operation = Job(
        id=job_of_call(background_id),
        session_id=job.session_id,
        tenant=job.tenant,
        agent=job.agent,
        created_at_ms=now_ms,
        priority=job.priority,
        status=JobStatus.PROCESSING if waits else JobStatus.PENDING,
        start_at_ms=waits.until_ms if isinstance(waits, ToolWaits | ToolNeedsApproval) else 0,
        limits=replace(job.limits, on_limit="ask"),  # it lasts for as long as what it waits for
        model=job.model,
        notifies=f"{OF_SESSION}{call.id}",
        traceparent=job.traceparent,
        isolated=job.isolated,
        subject=job.subject,
    )
    name = f"[Operation {operation_id(background_id)} of tool {call.tool!r}, which was started before.]"
    return Submitted(operation, {"text": name, OPERATION: task})


def begun(step_result: Submitted, now_ms: int) -> Decision:
    """Begin an operation: its call has yet to run, or waits already."""
    changes, task = submitted(step_result, now_ms).changes, step_result.task[OPERATION]
    assert changes is not None, "a submission always creates"
    assert changes.job is not None, "a submission always creates"
    record = CallRecord(
        id=task["id"],
        turn=1,
        position=0,
        tool=task["tool"],
        arguments=task["arguments"],
        retries=task["retries"],
        retry_delay_seconds=task["retryDelaySeconds"],
        isolated=task["isolated"],
    )
    shown = {"operationId": operation_id(record.id), "tool": record.tool}
    item = replace(call_item(changes.job.id, record, 1, now_ms), claimed_ms=now_ms)
    then = _waits(State(changes.job, item, record), task, now_ms) or Changes(calls=(record,), items=(item,))
    return Decision(
        replace(
            changes,
            items=(*(replace(one, claimed_ms=0) for one in then.items), *changes.items[1:]),
            calls=then.calls,
            transcript=(task_entry(step_result.task | {OPERATION: shown}),),
            parts=(*changes.parts, stream_parts.tool_input(record), *then.parts),
        )
    )


def _waits(state: State, task: dict[str, Any], now_ms: int) -> Changes | None:
    if "wait" in task:
        wait = task["wait"]
        waits = ToolWaits(task["untilMs"], wait["timeoutResult"], wait["event"], wait["operationId"])
        return tool_call.waits(state, waits, now_ms).changes
    if "title" in task:
        more = (
            task.get("escalateMs", 0),
            task.get("people", 1),
            task.get("form"),
            task.get("memo", {}),
            task.get("data"),
        )
        asked = task.get("beginsWith", task["arguments"])
        asks = ToolNeedsApproval(asked, task["title"], task["untilMs"], *more)
        return tool_call.wait_for_approval(state, asks, now_ms).changes
    if "memo" in task:
        return tool_call.runs_again(state, ToolRunsAgain(task["atMs"], task["memo"]), now_ms).changes
    return None
