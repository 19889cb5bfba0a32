"""The entries of a job's event stream, as JSON texts: AI SDK UI message chunks; our own are data parts.

Source: the AI SDK's UI message stream protocol v1; names and shapes are in CONTRACT "Streams and chat".
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered
from baton.engine.work_items import EVENT_OF_KIND, WorkItem
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import FOREVER_MS, Failure
from baton_events.ids import (
    call_of_operation,
    call_of_operation_job,
    canonical_json,
    digest,
    event_id,
    job_of_call,
    operation_id,
    sorted_json,
)

INLINE_RESULT_BYTES = 64 * 1024
_TYPE_OF_KIND = {kind: event_type.value for kind, event_type in EVENT_OF_KIND.items()}
# How work ends without a result.
DIED, BROKEN_OFF, CANCELLED = "its process died", "broken off", "cancelled"
_START_STEP, _FINISH_STEP = sorted_json({"type": "start-step"}), sorted_json({"type": "finish-step"})
# The ends of parts with nothing but ids, statuses, counts and costs.
_WITHOUT_TEXT = ("start", "start-step", "text-start", "text-end", "data-usage", "finish-step", "finish")
TEXTLESS = tuple(f'"type":"{kind}"}}' for kind in _WITHOUT_TEXT)


def start(job_id: str) -> str:
    """Return the first part of a job's answer."""
    return canonical_json({"type": "start", "messageId": job_id})


def user_message(entry: str) -> str:
    """Return the part of a message that the user sent to the running job. `entry`: as it is in the transcript."""
    message = json.loads(entry)
    data = {name: message[name] for name in ("role", "text", "data") if name in message}
    return canonical_json({"type": "data-message", "id": message["messageId"], "data": data})


def job_retried(run: int, at_ms: int, *, from_start: bool, by: str) -> str:
    """Return the part that marks a retry: later parts belong to the job's run `run`."""
    data = {"run": run, "from": "start" if from_start else "failure", "by": by, "at": at_ms}
    return canonical_json({"type": "data-job-retried", "data": data})


def cancelling(words: str) -> str:
    """Return the part that says that a cancel was asked for, and the job's code cleans up."""
    return canonical_json({"type": "data-job-cancelling", "data": {"message": words}})


@lru_cache(256)
def text_id(turn: int, attempt: int, owner: str) -> str:
    """Return the id of the model's text in one attempt of a turn, under one claim: no two have the same."""
    return f"text-{turn}-{attempt}-{digest(owner)[:8]}"


def text(block: str, content: str) -> tuple[str, ...]:
    """Return the parts of a turn's text, as one text block."""
    return (text_start(block), *text_rest(block, content)) if content else ()


def text_start(block: str) -> str:
    """Return the part that begins a text."""
    return sorted_json({"id": block, "type": "text-start"})


def text_delta(block: str, content: str) -> str:
    """Return the part with more of a text."""
    return sorted_json({"delta": content, "id": block, "type": "text-delta"})


def text_rest(block: str, content: str) -> tuple[str, ...]:
    """Return the parts with the rest of a text, and its end."""
    end = sorted_json({"id": block, "type": "text-end"})
    return (text_delta(block, content), end) if content else (end,)


def abandoned(block: str) -> tuple[str, ...]:
    """Return the parts that close an open text, name it as abandoned, and end its step."""
    retry = canonical_json({"type": "data-retry", "data": {"textId": block}})
    return (*text_rest(block, ""), retry, step_finish())


def step_start(turn: int) -> tuple[str, ...]:
    """Return the parts that begin a turn and end the one before it, whose tool results belong to that one."""
    return (_START_STEP,) if turn == 1 else (_FINISH_STEP, _START_STEP)


def usage(turn: int, answer: ModelAnswered) -> str:
    """Return the part with the usage of a turn's model call; a cached answer has used nothing new."""
    data: dict[str, Any] = {
        "cached": answer.cached,
        "costUsd": round(answer.cost_usd, 6),
        "inputTokens": answer.input_tokens,
        "outputTokens": answer.output_tokens,
        "turn": turn,
    }
    part = {"data": data, "type": "data-usage"}
    return canonical_json(part) if answer.cost_usd else sorted_json(part)


def cut(turn: int, answer: ModelAnswered) -> tuple[str, ...]:
    """Return the part that marks a text as cut off by a limit of its length; calls that were cut off fail instead."""
    is_text = answer.cut and not answer.wanted
    return (canonical_json({"type": "data-cut", "data": {"turn": turn}}),) if is_text else ()


def step_finish() -> str:
    """Return the part that ends a turn."""
    return _FINISH_STEP


def tool_input(call: CallRecord) -> str:
    """Return the part of a tool call that the model requested."""
    return canonical_json(
        {
            "type": "tool-input-available",
            "toolCallId": call.id,
            "toolName": call.tool,
            "input": redacted(call.arguments),
            **({"providerMetadata": {"baton": {"scriptCallId": call.script}}} if call.script else {}),
        }
    )


def tool_output(call_id: str, result_json: str, apart_bytes: int = 0) -> str:
    """Return the part of a tool call's result; a large result is named, not repeated."""
    size_bytes = apart_bytes or len(result_json.encode())
    if apart_bytes or size_bytes > INLINE_RESULT_BYTES:
        result_json = sorted_json({"sizeBytes": size_bytes, "storedApart": True})
    return f'{{"type":"tool-output-available","toolCallId":{sorted_json(call_id)},"output":{result_json}}}'


def tool_error(call_id: str, failure: Failure) -> str:
    """Return the part of a tool call that failed for good."""
    return canonical_json({"type": "tool-output-error", "toolCallId": call_id, "errorText": failure.message})


def plan_created(turn: int, records: Sequence[CallRecord]) -> str:
    """Return the part of a plan: its steps and their dependencies."""
    steps = [
        {
            "step": record.step,
            "tool": record.tool,
            "callId": record.id,
            "dependsOn": sorted(record.after),
            "onFailure": record.on_failure,
        }
        for record in records
    ]
    return canonical_json({"type": "data-plan-created", "data": {"turn": turn, "steps": steps}})


def step_started(step: str, call_id: str, tool: str) -> str:
    """Return the part that begins the first attempt of a step."""
    return canonical_json({"type": "data-step-started", "data": {"step": step, "callId": call_id, "tool": tool}})


def step_completed(record: CallRecord) -> tuple[str, ...]:
    """Return the part that ends a step, successful or not; none for a call that is no step."""
    if not record.step:
        return ()
    data: dict[str, Any] = {"step": record.step, "callId": record.id, "tool": record.tool, "status": record.status}
    if record.error:
        data["error"] = {"type": record.error.type, "message": record.error.message}
    return (canonical_json({"type": "data-step-completed", "data": data}),)


def reflection(turn: int, content: str) -> tuple[str, ...]:
    """Return the part with the planner's thoughts on its plan's results; none without any."""
    if not content:
        return ()
    return (canonical_json({"type": "data-reflection", "data": {"turn": turn, "text": content}}),)


def operation(call: CallRecord, item: WorkItem) -> str:
    """Return the part of a call that waits, or has waited, for something from outside or for a time."""
    data: dict[str, Any] = {"callId": call.id, "tool": call.tool, "status": call.status, "until": item.not_before_ms}
    if call.operation_id:
        data["operationId"] = call.operation_id
    if call.child:
        data["jobId"] = call.child
    if item.event:
        data["event"] = item.event
    if not 0 < item.not_before_ms < FOREVER_MS:
        del data["until"]
    return canonical_json({"type": "data-operation", "data": data})


def operation_started(call: CallRecord, answer_json: str) -> tuple[str, ...]:
    """Return the parts of a call that continues as an operation's job; its output has the names of seed 003, too."""
    job_id = job_of_call(call_of_operation(call.operation_id))
    names = {"operation_id": call.operation_id, "tool_name": call.tool, "task_id": job_id}
    output = canonical_json({**json.loads(answer_json), "type": "operation_started", **names})
    data = {"callId": call.id, "tool": call.tool, "status": "started", "operationId": call.operation_id}
    started = canonical_json({"type": "data-operation", "data": {**data, "jobId": job_id}})
    return tool_output(call.id, output), started


def operation_cancelled(job_id: str) -> str:
    """Return the part of a cancelled operation, which this is the job of."""
    data = {"operationId": operation_id(call_of_operation_job(job_id)), "status": "cancelled", "jobId": job_id}
    return canonical_json({"type": "data-operation", "data": data})


def wait_cancelled(item: WorkItem, call: CallRecord | None) -> str:
    """Return the part of a call that waits when its job ends."""
    data = {"callId": item.approval_of_call or item.call_id, "tool": call.tool if call else item.tool}
    return canonical_json({"type": "data-operation", "data": {**data, "status": "cancelled"}})


def continues(data: dict[str, Any]) -> str:
    """Return the part of a job that continues its session with an operation's outcome."""
    return canonical_json({"type": "data-operation", "data": data})


def handled(
    item: WorkItem,
    now_ms: int,
    outcome: str,
    failure: Failure | None = None,
    *,
    call: CallRecord | None = None,
    lost: bool = False,
) -> str:
    """Return the timeline entry of one handled event of the job. `failure`: of a model or tool call.

    Attempts of `call` that only asked a person do not count. `lost`: it is work that has ended without a result.
    """
    questions = min(call.questions, item.attempt - 1) if call else 0
    data: dict[str, Any] = {"at": now_ms, "attempt": item.attempt - questions}
    if item.call_id:
        data["callId"] = item.call_id
    data["durationMs"] = max(0, now_ms - item.claimed_ms)
    data["eventId"] = event_id(item.key)
    if failure:
        data["failure"] = {"message": failure.message, "retryable": failure.retryable, "type": failure.type}
    data["outcome"] = outcome
    if item.call_id:
        data |= {"position": item.position, "tool": item.tool}
    if questions:
        data["questions"] = questions
    data |= {"turn": item.turn, "type": _TYPE_OF_KIND[item.kind]}
    kind = {"type": "data-lost"} if lost else {"type": "data-event"}
    return sorted_json({"data": data, "transient": True, **kind})


def recalled(entry: dict[str, Any]) -> str:
    """Return the part about retrieved memory: how many entries it gave, and warnings about what did not answer."""
    data = {"entries": len(entry["entries"]), "warnings": entry["warnings"]}
    return canonical_json({"type": "data-memory", "data": data})


def abort(reason: str) -> str:
    """Return the part of an answer that was stopped from outside."""
    return sorted_json({"reason": reason, "type": "abort"})


def finish(reason: str, failure: Failure | None = None) -> tuple[str, ...]:
    """Return the last parts: an error if there was one, then the end."""
    error = (canonical_json({"type": "error", "errorText": failure.message}),) if failure else ()
    return (*error, sorted_json({"messageMetadata": {"status": reason}, "type": "finish"}))
