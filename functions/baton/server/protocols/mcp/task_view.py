"""A job as MCP shows it: the result of a tool, a task in both revisions, and questions to people.

Invariant: pure, and of a job's inside it shows only that the job works: an agent is opaque to its callers. A job that
failed is a result with `isError`, as the protocol requires; only a fault of the server is an error.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.models.model import CUT_NOTE
from baton.server.protocols.mcp.body import INTERNAL, RpcError
from baton.store.records.jobs import Snapshot
from baton.worker.commands.follow import come_back_ms
from baton_events.ids import canonical_json
from baton_events.timestamps import rfc3339

Part = dict[str, Any]
# Failures of the server rather than of the agent's work: they are no answer of a tool.
_OF_SERVER = {"delivery_failed", "newer_transcript", "process_died", "storage_full", "unknown", "unknown_agent"}
QUESTION_SCHEMA = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean", "title": "Approve", "description": "false rejects it", "default": True},
        "reason": {"type": "string", "title": "Reason", "description": "why it is rejected, or a comment"},
        "editedArgs": {"type": "string", "title": "Edited arguments", "description": "JSON that replaces all of them"},
    },
}


def text_result(text: str, *, is_error: bool = False) -> Part:
    """Build a tool's result with one text."""
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def tool_result(job: Job) -> Part:
    """Return the result of an ended job.

    Raises:
        RpcError: the server is at fault.
    """
    if job.status is JobStatus.COMPLETED:
        result = job.result or {}
        value = result.get("output", result.get("answer"))
        shown = text_result(value if isinstance(value, str) else canonical_json(value))
        if result.get("cut"):
            shown["content"].append({"type": "text", "text": CUT_NOTE})
        return shown | {"structuredContent": value} if isinstance(value, dict) else shown
    if job.error is not None and job.error.type in _OF_SERVER:
        raise RpcError(INTERNAL, job.error.message)
    return text_result(job.error.message if job.error else f"job {job.id} is {job.status}", is_error=True)


def related(result: Part, job: Job) -> Part:
    """Add the task's id to a result, as revision 2025-11-25 requires."""
    return result | {"_meta": {"io.modelcontextprotocol/related-task": {"taskId": job.id}}}


def question_of(view: Mapping[str, Any]) -> Part:
    """Convert an approval to a form for people; a tool's question has a form of its own."""
    if "form" in view:
        return {"mode": "form", "message": view["title"], "requestedSchema": view["form"]}
    asked = f"{view['tool']} {canonical_json(view['arguments'])}" if view["tool"] else canonical_json(view["arguments"])
    return {"mode": "form", "message": f"{view['title']}\n{asked}", "requestedSchema": QUESTION_SCHEMA}


def requests_of(asked: Sequence[Mapping[str, Any]]) -> Part:
    """Convert pending approvals to requests to the client, by id."""
    return {view["id"]: {"method": "elicitation/create", "params": question_of(view)} for view in asked}


def answer_fields(result: Any, view: Mapping[str, Any]) -> Part | None:
    """Convert a filled form to the fields of the approval's answer; None: the person has postponed it.

    Raises:
        ValueError: it is none.
    """
    action = result.get("action") if isinstance(result, dict) else None
    if action == "cancel":
        return None
    if action not in ("accept", "decline"):
        raise ValueError(f"action must be accept, decline or cancel, got {str(action)[:80]!r}")
    content = found if isinstance(found := result.get("content"), dict) else {}
    if "form" in view:
        return {"approved": action == "accept", "editedArgs": content}
    edited = content.get("editedArgs") or None
    return {
        "approved": action == "accept" and content.get("approved", True),
        "reason": content.get("reason") or "",
        "editedArgs": json.loads(edited) if isinstance(edited, str) else edited,
    }


def created_task(task: Part, *, modern: bool) -> Part:
    """Build the immediate answer to a tool call that became a task."""
    if not modern:
        return {"task": task}
    bare = {name: value for name, value in task.items() if name not in ("result", "error", "inputRequests")}
    return bare | {"resultType": "task"}


def task_of(snapshot: Snapshot, now_ms: int, asked: Sequence[Part], retention_ms: int, *, modern: bool) -> Part:
    """Convert the job to a task. `asked`: its pending approvals, where its client can show them."""
    job = snapshot.job
    updated_ms = job.finished_at_ms or snapshot.usage.updated_ms or job.created_at_ms
    ttl_ms = updated_ms - job.created_at_ms + retention_ms if job.ended else None
    task: Part = {
        "taskId": job.id,
        "createdAt": rfc3339(job.created_at_ms),
        "lastUpdatedAt": rfc3339(updated_ms),
        "ttlMs" if modern else "ttl": ttl_ms,
        "pollIntervalMs" if modern else "pollInterval": come_back_ms(snapshot, now_ms),
    }
    return task | (_modern_state if modern else _legacy_state)(job, asked)


def _modern_state(job: Job, asked: Sequence[Part]) -> Part:
    if not job.ended:
        return {"status": "input_required", "inputRequests": requests_of(asked)} if asked else {"status": "working"}
    if job.status is JobStatus.CANCELLED:
        return {"status": "cancelled"}
    try:
        return {"status": "completed", "result": {"resultType": "complete"} | tool_result(job)}
    except RpcError as error:
        return {"status": "failed", "statusMessage": str(error), "error": error.value}


def _legacy_state(job: Job, asked: Sequence[Part]) -> Part:
    if not job.ended:
        return {"status": "input_required" if asked else "working"}
    ended = {JobStatus.COMPLETED: "completed", JobStatus.CANCELLED: "cancelled"}.get(job.status, "failed")
    return {"status": ended} | ({"statusMessage": job.error.message} if job.error else {})
