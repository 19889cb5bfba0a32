"""A job as a task of A2A 1.0: for its API's answers, the start of its streams, and its push notifications.

Invariant: pure, and of a job's inside it shows no more than that it works: agents are opaque to each other.

Source: https://a2a-protocol.org/v1.0.0/specification.
"""

from collections.abc import Sequence
from typing import Any

from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.store.records.jobs import Snapshot
from baton.worker.commands.follow import status_of
from baton_events.timestamps import rfc3339

INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
_STATES = {
    JobStatus.PENDING: "TASK_STATE_SUBMITTED",
    JobStatus.PROCESSING: "TASK_STATE_WORKING",
    JobStatus.WAITING: "TASK_STATE_WORKING",
    JobStatus.COMPLETED: "TASK_STATE_COMPLETED",
    JobStatus.FAILED: "TASK_STATE_FAILED",
    JobStatus.CANCELLED: "TASK_STATE_CANCELED",
}
Part = dict[str, Any]


def task_of(snapshot: Snapshot, now_ms: int, asked: Sequence[Part] = (), history_length: int | None = None) -> Part:
    """Return the job as a task. `asked`: its pending approvals; `history_length`: 0 leaves its message out."""
    job = snapshot.job
    task: Part = {
        "id": job.id,
        "contextId": job.session_id,
        "status": _status(snapshot, now_ms, asked),
        "metadata": {"agent": job.agent},
    }
    if (artifact := artifact_of(job)) is not None:
        task["artifacts"] = [artifact]
    return task if history_length == 0 else task | {"history": [_message(snapshot)]}


def artifact_of(job: Job) -> Part | None:
    """Return a job's answer; None: it has none yet."""
    if job.status is not JobStatus.COMPLETED or not job.result:
        return None
    value = job.result.get("output", job.result.get("answer"))
    artifact: Part = {"artifactId": "answer", "parts": [part_of(value)]}
    return artifact | ({"metadata": {"cut": True}} if job.result.get("cut") else {})


def part_of(value: Any) -> Part:
    """Return a part with text, or with any JSON."""
    return {"text": value} if isinstance(value, str) else {"data": value, "mediaType": "application/json"}


def status(job: Job, state: str, at_ms: int, message_id: str = "", parts: Sequence[Part] = ()) -> Part:
    """Return a status, with a message of the agent where there are parts."""
    found: Part = {"state": state, "timestamp": rfc3339(at_ms)}
    if parts:
        names = {"messageId": message_id, "contextId": job.session_id, "taskId": job.id}
        found["message"] = {**names, "role": "ROLE_AGENT", "parts": list(parts)}
    return found


def ended_status(job: Job) -> Part:
    error = [{"text": job.error.message}] if job.error else []
    return status(job, _STATES[job.status], job.finished_at_ms or 0, f"{job.id}-error", error)


def input_required(job: Job, asked: Sequence[Part], at_ms: int) -> Part:
    """Return the status of a job that waits for decisions: its questions, in words and as data."""
    names = ("id", "tool", "arguments", "digest", "expiresAt")
    parts: list[Part] = []
    for view in asked:
        data = {"checkpointId" if name == "id" else name: view[name] for name in names if view[name] is not None}
        parts += [{"text": view["title"]}, part_of(data)]
    return status(job, INPUT_REQUIRED, at_ms, str(asked[-1]["id"]), parts)


def _status(snapshot: Snapshot, now_ms: int, asked: Sequence[Part]) -> Part:
    job = snapshot.job
    if job.ended:
        return ended_status(job)
    at_ms = snapshot.usage.updated_ms or job.created_at_ms
    return input_required(job, asked, at_ms) if asked else status(job, _STATES[status_of(snapshot, now_ms)], at_ms)


def _message(snapshot: Snapshot) -> Part:
    job, task = snapshot.job, snapshot.task
    texts: list[Part] = [{"text": task["text"]}] if task.get("text") else []
    data: list[Part] = [part_of(task["data"])] if task.get("data") else []
    message_id = (task.get("chat") or {}).get("messageId") or f"{job.id}-user"
    names = {"messageId": message_id, "contextId": job.session_id, "taskId": job.id}
    return {**names, "role": "ROLE_USER", "parts": texts + data}
