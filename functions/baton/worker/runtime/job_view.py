"""A job as JSON, with the fields that CONTRACT names; large results of tool calls are references.

Invariant: the answer stays below what hosts let through (6 MB on Lambda), however many results a job has. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace
from pydantic_core import to_json

from baton.engine.all_jobs.scores import Score
from baton.engine.state import FORK, CallRecord, Job
from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS, status_and_wait
from baton.engine.work_items import ItemKind
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.sentence import APPROVAL, call_summaries, called, line_of, task_summary
from baton.settings.service_prices import LIST_PRICES, Prices
from baton.store.records.jobs import Snapshot
from baton.store.records.objects import JSON, ref_of
from baton.worker.runtime.usage_view import job_cost, usage_view
from baton_events.ids import BATCH_PREFIX, job_of_call
from baton_events.timestamps import rfc3339

# All together; an answer that is passed as text inside JSON may be twice as long.
INLINE_RESULTS_BYTES = 2_000_000


def references(job_id: str, results: Mapping[str, Any], most_bytes: int) -> dict[str, dict[str, Any]]:
    """Return references to the results that do not fit, by call id; the smallest results stay in the answer."""
    sizes = sorted((len(to_json(value)), call_id) for call_id, value in results.items())
    found: dict[str, dict[str, Any]] = {}
    capacity_bytes = most_bytes
    for size_bytes, call_id in sizes:
        capacity_bytes -= size_bytes
        if capacity_bytes < 0:
            found[call_id] = {"url": result_path(job_id, call_id), "sizeBytes": size_bytes, "mediaType": JSON}
    return found


def shown_result(job_id: str, call_id: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's result, or the reference to one that is in the object store, with its beginning."""
    if "apart" not in stored:
        return {"result": stored["ok"]}
    there = stored["ok"]
    digest = ref_of(there["ref"]).name
    reference = {"url": result_path(job_id, call_id), "sizeBytes": there["bytes"], "mediaType": there["mediaType"]}
    return {"resultRef": {**reference, "digest": digest, "preview": there.get("preview", "")}}


def result_path(job_id: str, call_id: str) -> str:
    return f"/api/agent-jobs/{quote(job_id, safe='')}/results/{quote(call_id, safe='')}"


def job_view(
    snapshot: Snapshot,
    now_ms: int,
    prices: Prices = LIST_PRICES,
    most_bytes: int = INLINE_RESULTS_BYTES,
    *,
    for_operator: bool = False,
) -> dict[str, Any]:
    """Return the job as the API shows it; where results exceed `most_bytes` together, the largest are references.

    `for_operator`: with what code has printed, which no client is told.
    """
    shown, summaries = [call for call in snapshot.calls if call.tool not in APPROVALS], summaries_of(snapshot.calls)
    calls = [call_view(call, snapshot, now_ms, summaries) for call in shown]
    for call, view in zip(shown if for_operator else (), calls, strict=False):
        if call.printed:
            view["printed"] = [{"attempt": attempt, "text": text} for attempt, text in call.printed]
    results = {call["id"]: call["result"] for call in calls if "result" in call}
    apart = references(snapshot.job.id, results, most_bytes)
    for view in calls:
        if view["id"] in apart:
            del view["result"]
            view["resultRef"] = apart[view["id"]]
    cost = job_cost(snapshot.usage, snapshot.job.used, prices)
    more: dict[str, Any] = {"agentVersion": snapshot.job.agent_version or None}
    more |= {"cost": cost, "memory": _memory_view(snapshot), "toolCalls": calls}
    return job_row(snapshot, now_ms) | more | {"scores": [score_view(score) for score in snapshot.scores]}


def score_view(score: Score) -> dict[str, Any]:
    return {
        "name": score.name,
        "value": score.value,
        "comment": None if score.sealed else score.comment,
        "createdAt": rfc3339(score.created_ms),
        "by": score.by,
    }


def job_row(snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    """Return the job as a list shows it: without its tool calls and its retrieved memory."""
    job, usage = snapshot.job, snapshot.usage
    is_readable = bool(snapshot.task) or not snapshot.unreadable
    questions = {call.id: call.questions for call in snapshot.calls}
    items = [replace(item, attempt=item.attempt - questions.get(item.call_id, 0)) for item in snapshot.items]
    status, waiting_for = status_and_wait(
        job, items, snapshot.slot_state, now_ms, stopped=snapshot.stopped, of_tenant=snapshot.of_tenant
    )
    if snapshot.failing:
        waiting_for = snapshot.failing.text
    elif waiting_for and f"about tool {APPROVAL}" in waiting_for:  # code asks: the question says what about
        asked = summaries_of(call for call in snapshot.calls if call.tool == APPROVAL and call.finished_at_ms is None)
        words = repr(*asked.values()) if len(asked) == 1 else f"{len(asked) or 'its'} questions"
        waiting_for = waiting_for.replace(f"tool {APPROVAL}", words)
    return {
        "id": job.id,
        "jobType": job.agent,
        "summary": job_summary(snapshot),
        "taskDescription": snapshot.task.get("text", "") if is_readable else None,
        "inputData": redacted(snapshot.task.get("data") or {}) if is_readable else None,
        "priority": job.priority,
        "tags": list(job.tags),
        "sessionId": job.session_id,
        "parentJobId": job_of_call(job.parent_call) if job.parent_call else None,
        "status": status,
        "waitingFor": waiting_for,
        "result": {name: value for name, value in job.result.items() if name != "apart"} if job.result else job.result,
        "error": _error(job.error) if job.error else None,
        "createdAt": rfc3339(job.created_at_ms),
        "updatedAt": rfc3339(usage.updated_ms or job.created_at_ms),
        "startedAt": _time(job.started_at_ms),
        "finishedAt": _time(job.finished_at_ms),
        "turns": job.used.turns,
        "usage": usage_view(usage, job.used),
        **({"continues": continues} if (continues := continues_of(snapshot.task)) else {}),
        **forked_from(snapshot.task),
        **_cancelling(job),
        **({"unreadable": {"keyIds": list(snapshot.unreadable)}} if snapshot.unreadable else {}),
    }


def _error(failure: Failure) -> dict[str, Any]:
    """Return a job's error; of an answer that was cut off with its text."""
    shown = {"type": failure.type, "message": failure.message}
    return shown | ({"partial": failure.partial} if failure.partial else {})


def _cancelling(job: Job) -> dict[str, Any]:
    """Return who cancels a job whose code cleans up, and until when it may; empty for any other job."""
    if job.cancelling is None or job.ended:
        return {}
    return {"cancelling": {"by": job.cancelling.sender, "until": rfc3339(job.cancelling.until_ms)}}


def forked_from(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the origin of a fork for its view; empty for any other job."""
    return {"forkedFrom": {name: task[FORK][name] for name in ("jobId", "turn")}} if FORK in task else {}


def continues_of(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the job and operation whose outcome a job continues its session with; None: it answers a message."""
    continues = (task.get("chat") or {}).get("continues")
    return {name: continues[name] for name in ("jobId", "operationId")} if continues else None


def _memory_view(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the memory retrieved before the first turn; None: none was requested, or not yet."""
    if snapshot.memory is None:
        return None
    entries = [
        {**{name: value for name, value in entry.items() if name != "created"}, "createdAt": rfc3339(entry["created"])}
        for entry in snapshot.memory["entries"]
    ]
    return {"entries": entries, "warnings": snapshot.memory["warnings"]}


def job_summary(snapshot: Snapshot) -> str:
    """Return what the job is about, in a line: without a task, its agent and its input.

    Of one that handles an event also which: its key, or its first text.
    """
    (name, event_id), text, data = snapshot.job.handles, snapshot.task.get("text", ""), snapshot.task.get("data")
    data = redacted(data)
    if not name:
        summary = task_summary(text, data, is_code=snapshot.job.model.runs_code)
        return summary or line_of(called(snapshot.job.agent, data or {}))
    if data and data.get("id") == event_id:  # a function's: the whole event
        is_batch = event_id.startswith(BATCH_PREFIX)
        data = data["key"] or (f"{len(data['data'])} events" if is_batch else data["data"])
    return line_of(f"{text or name} {task_summary('', data, is_code=True)}")


def summaries_of(calls: Iterable[CallRecord]) -> dict[str, str]:
    """Return what each call of a job is about, in a line: a question to a person, or what its siblings do not have."""
    siblings, found = defaultdict[str, list[CallRecord]](list), dict[str, str]()
    for call in calls:
        siblings[call.tool].append(call)
    for tool, each in siblings.items():
        arguments = [{} if call.sealed else redacted(call.arguments) for call in each]
        titles = [line_of(str(one.get("title", ""))) if tool == APPROVAL else "" for one in arguments]
        words = zip(each, titles, call_summaries(arguments), strict=True)
        found |= {call.id: title or text for call, title, text in words}
    return found


def call_view(
    call: CallRecord, snapshot: Snapshot, now_ms: int, summaries: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a tool call as the API shows it; its result once it has been taken in."""
    view: dict[str, Any] = {
        "id": call.id,
        "tool": call.tool,
        "summary": (summaries or summaries_of(snapshot.calls))[call.id],
        "arguments": None if call.sealed else redacted(call.arguments),
        "status": _call_status(call, snapshot, now_ms),
        "attempts": call.attempts,
        "startedAt": _time(call.started_at_ms),
        "finishedAt": _time(call.finished_at_ms),
    }
    stored = snapshot.results.get(call.id, {})
    if call.step:
        view |= {"step": call.step, "dependsOn": sorted(call.after)}
    if call.script:
        view["scriptCallId"] = call.script
    if call.child:
        view["childJobId"] = call.child
    if call.operation_id:
        view["operationId"] = call.operation_id
    if "ok" in stored and call.status is CallStatus.COMPLETED:
        view |= shown_result(snapshot.job.id, call.id, stored)
    elif call.error is not None:
        view["error"] = {"type": call.error.type, "message": call.error.message}
    return view


def _call_status(call: CallRecord, snapshot: Snapshot, now_ms: int) -> CallStatus:
    """Return the recorded status, but `running` while claimed, and `cancelled` when the job ended without the call."""
    if call.status not in (CallStatus.QUEUED, CallStatus.RETRYING, CallStatus.WAITING):
        return call.status
    if snapshot.job.ended:
        return CallStatus.CANCELLED
    own = [item for item in snapshot.items if item.kind is ItemKind.CALL and item.call_id == call.id]
    running = any(item.owner and item.lease_until_ms > now_ms for item in own)
    return CallStatus.RUNNING if running else call.status


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
