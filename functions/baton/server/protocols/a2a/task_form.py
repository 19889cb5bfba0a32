"""A task's stream: the task as it is, then its artifact as it is made, its progress, and the states that it reaches.

The artifact `answer` is replaced by each text that a model begins, and at last by the answer itself, so text that was
abandoned does not stay. A stream ends with its task, or where the task requires input. Invariant: a decision that is
recorded is never asked for again, also where a stream is read from its beginning.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from baton.engine.state import Job
from baton.sdk.records.stream_part import StreamPart, left_out
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.stream_form import HEADERS, numbered
from baton.worker.runtime.a2a_task import artifact_of, ended_status, input_required, status
from baton_events.ids import canonical_json

Part = dict[str, Any]


def rpc_result(request_id: str | int | None, result: Any) -> Part:
    """Build a JSON-RPC response."""
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


class TaskForm:
    """`Form` of a task. `task`: its current state; `decided`: the ids of decided questions."""

    headers: ClassVar[Mapping[str, str]] = HEADERS
    over = False

    def __init__(
        self,
        request_id: str | int | None,
        task: Part,
        decided: frozenset[str],
        seen: tuple[int, int] | None,
        now_ms: int,
    ) -> None:
        self._request_id, self._seen, self._now_ms = request_id, seen or (0, 0), now_ms
        self._opening = f"data: {canonical_json(rpc_result(request_id, {'task': task}))}\n\n"
        self._decided, self._calls = decided, OpenCalls()
        self._begins_text = self._finished = False

    def part(self, job: Job, number: int, part: str) -> str:
        """Return the events of one part; the task itself comes before the first of them."""
        read: StreamPart = json.loads(part)
        self._calls.take(read)
        self._calls.decided(self._decided)
        updates = [] if self._finished or self.over else self._updates(job, read)
        if self._calls.only_people_are_awaited and not self.over:
            asked = list(self._calls.questions.values())
            updates.append(_status_update(job, input_required(job, asked, self._now_ms)))
            self.over = True
        opening, self._opening = self._opening, ""
        answers = [rpc_result(self._request_id, update) for update in updates]
        return opening + numbered(job, number, answers, self._seen)

    def ending(self, job: Job) -> str:  # noqa: ARG002 - as Form has it
        """Return only a comment: the last state is the end."""
        return f"{self._opening}: end\n\n"

    def _updates(self, job: Job, part: StreamPart) -> list[Part]:
        match part["type"]:
            case "start-step":
                return [_status_update(job, status(job, "TASK_STATE_WORKING", self._now_ms))]
            case "text-start":
                self._begins_text = True
            case "text-delta":
                append, self._begins_text = not self._begins_text, False
                text = {"artifactId": "answer", "parts": [{"text": part["delta"]}]}
                return [_artifact_update(job, text, append=append, last=False)]
            case "data-progress" if part["data"]["text"]:
                data = part["data"]
                words = status(job, "TASK_STATE_WORKING", self._now_ms, data["callId"], [{"text": data["text"]}])
                return [_status_update(job, words)]
            case "finish" if job.ended:
                self._finished = True
                artifact = artifact_of(job)
                answer = [_artifact_update(job, artifact, append=False, last=True)] if artifact else []
                return [*answer, _status_update(job, ended_status(job))]
            case (  # agents are opaque in A2A, and `OpenCalls` has what waits
                "start" | "finish-step" | "text-end" | "abort" | "error" | "finish" | "data-progress" | "data-event"
                | "tool-input-available" | "tool-output-available" | "tool-output-error" | "data-operation"
                | "data-plan-created" | "data-step-started" | "data-step-completed" | "data-reflection" | "data-usage"
                | "data-cut" | "data-retry" | "data-memory" | "data-message" | "data-job-retried" | "data-checkpoint"
            ):  # fmt: skip
                pass
            case unknown:
                left_out(unknown)
        return []


def _status_update(job: Job, value: Part) -> Part:
    return {"statusUpdate": {"taskId": job.id, "contextId": job.session_id, "status": value}}


def _artifact_update(job: Job, artifact: Part, *, append: bool, last: bool) -> Part:
    update = {"taskId": job.id, "contextId": job.session_id, "artifact": artifact, "append": append, "lastChunk": last}
    return {"artifactUpdate": update}
