"""What a recording says of one job: who asked what, what models and tools answered, attempt by attempt, and its end.

The document is `{"v": 1, "job": JOB, "texts": {digest: what it stands for}}`; a JOB has its calls, and a call the JOB
that it started (`child`). Times are milliseconds since 1970 (`…Ms`). Invariant: pure, and secrets under their names are
redacted. Must not: shorten anything, or know any registry.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, to_builtins
from pydantic.alias_generators import to_camel

from baton.core.redaction import redacted
from baton.core.state import CallRecord
from baton.ports import Snapshot
from baton_events.schema import EventType

RECORDING_VERSION = 1
# The only entries of a stream that a recording needs: what was handled, and what waits.
_HANDLED, _OPERATION = "data-event", "data-operation"


class JobSource(Struct, frozen=True):
    """All that is stored of one job; `parts`: its stream's entries, as JSON texts."""

    snapshot: Snapshot
    transcript: tuple[dict[str, Any], ...]
    parts: tuple[str, ...]


def recording(root_id: str, sources: Mapping[str, JobSource], texts: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a job and all jobs below it.

    Args:
        root_id: the job.
        sources: by job id; one that is missing (it has expired) is left out.
        texts: what digests stand for; those that no turn names are left out.
    """
    named = {
        digest
        for source in sources.values()
        for entry in source.transcript
        for digest in (entry.get("asked") or {}).values()
    }
    return {
        "v": RECORDING_VERSION,
        "job": _job(root_id, sources),
        "texts": {digest: text for digest, text in sorted(texts.items()) if digest in named},
    }


def _job(job_id: str, sources: Mapping[str, JobSource]) -> dict[str, Any]:
    source = sources[job_id]
    job, task = source.snapshot.job, source.snapshot.task
    said = [part for part in map(json.loads, source.parts) if part["type"] in (_HANDLED, _OPERATION)]
    return {
        "id": job.id,
        "jobType": job.agent,
        "taskDescription": task.get("text", ""),
        "inputData": redacted(task.get("data") or {}),
        "sessionId": job.session_id,
        "tenant": job.tenant,
        "priority": job.priority,
        "limits": camel(job.limits),
        "model": camel(job.model),
        "createdAtMs": job.created_at_ms,
        "startedAtMs": job.started_at_ms,
        "finishedAtMs": job.finished_at_ms,
        "status": job.status,
        "result": job.result,
        "error": {"type": job.error.type, "message": job.error.message} if job.error else None,
        "usage": camel(job.used),
        "transcript": [_entry(entry) for entry in source.transcript],
        "modelCalls": [_attempt(part["data"]) for part in said if _is(part, EventType.LOOP_INIT)],
        "toolCalls": [_call(call, source, said, sources) for call in source.snapshot.calls],
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """The task's data is stored as it came; all else is redacted before it is stored."""
    return {**entry, "data": redacted(entry["data"])} if "data" in entry else entry


def _call(
    call: CallRecord, source: JobSource, said: list[dict[str, Any]], sources: Mapping[str, JobSource]
) -> dict[str, Any]:
    mine = [part for part in said if part["data"].get("callId") == call.id]
    stored = source.snapshot.results.get(call.id, {})
    view: dict[str, Any] = {
        "id": call.id,
        "turn": call.turn,
        "position": call.position,
        "tool": call.tool,
        "arguments": redacted(call.arguments),
        "status": call.status,
        "attempts": [_attempt(part["data"]) for part in mine if _is(part, EventType.TOOL_CALL)],
    }
    if call.step:
        view |= {"step": call.step, "dependsOn": sorted(call.after), "onFailure": call.on_failure}
    if "ok" in stored:
        view["result"] = stored["ok"]
    error = stored.get("error") or (call.error and {"type": call.error.type, "message": call.error.message})
    if error:
        view["error"] = error
    waits = next((part["data"] for part in mine if part["type"] == _OPERATION), None)
    if waits is not None:
        view["wait"] = {
            name: waits[shown]
            for name, shown in (("event", "event"), ("operationId", "operationId"), ("untilMs", "until"))
            if shown in waits
        }
    if call.child in sources:
        view["child"] = _job(call.child, sources)
    return view


def _attempt(data: Mapping[str, Any]) -> dict[str, Any]:
    """One attempt of a model call or of a tool call."""
    view: dict[str, Any] = {
        "turn": data["turn"],
        "attempt": data["attempt"],
        "startedAtMs": data["at"] - data["durationMs"],
        "finishedAtMs": data["at"],
        "outcome": data["outcome"],
    }
    if "failure" in data:
        view["failure"] = data["failure"]
    return view


def _is(part: Mapping[str, Any], kind: EventType) -> bool:
    return bool(part["type"] == _HANDLED and part["data"]["type"] == kind)


def camel(record: Any) -> dict[str, Any]:
    """A flat record as JSON with the names of the wire."""
    return {to_camel(name): value for name, value in to_builtins(record).items()}
