"""A2A's methods: a message starts a job or answers a job's question; a task is read, followed as a stream, cancelled.

Invariant: the job follows from the message's id, so a message that is sent again is the same task. A push notification
is a job's callback, which is named when the job is submitted and stays. In a stream the artifact `answer` is replaced
by each text that a model begins, and at last by the answer, so text that was abandoned does not stay. It ends with its
task, or where that requires input; a recorded decision is never asked for again. Must not: know JSON-RPC.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import structs
from pydantic import ValidationError

from baton.engine.state import A2A, Job
from baton.sdk.agents.agent import Agent
from baton.sdk.records.stream_part import StreamPart, left_out
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import SeenJob, seen_job
from baton.server.api.jobs.approvals import ApprovalAnswer, decide
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import ChangeBody, callback_fault
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.jobs.submission import SubmitBody, is_same_request, new_job
from baton.server.api.problem import ApiError
from baton.server.api.session_line import Sessions
from baton.server.api.sessions.chat import must_take
from baton.server.api.sessions.files import ChatFiles
from baton.server.api.stream_form import HEADERS, numbered
from baton.server.protocols.a2a.body import INVALID_PARAMS, RpcError, SendParams, TaskMessage
from baton.worker.runtime.a2a_task import artifact_of, ended_status, input_required, status, task_of
from baton.worker.runtime.callbacks import address_fault
from baton_events.errors import StoreError
from baton_events.ids import canonical_json, digest, named_job_id

Part = dict[str, Any]
FIXED_PUSH = "a push notification is named with the message that begins its task, and stays"


def rpc_result(request_id: str | int | None, result: Any) -> Part:
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
                | "data-cut" | "data-retry" | "data-memory" | "data-message" | "data-job-retried"
                | "data-job-cancelling" | "data-checkpoint" | "data-lost"
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


def view_of(found: SeenJob, history_length: int | None = None) -> Part:
    return task_of(found.snapshot, found.now_ms, found.asked, history_length)


async def look_up(context: Context, principal: Principal, agent: Agent, task_id: str) -> SeenJob:
    """Read a task of the agent.

    Raises ApiError: 404 unknown, or another agent's; 403 another tenant's; 410 its data was removed.
    """
    snapshot = await context.jobs.snapshot(principal, task_id)
    if snapshot.job.agent != agent.name:
        raise ApiError(404, f"agent {agent.name!r} has no task {task_id!r}")
    audience = principal.audience(context.container.settings)
    return seen_job(snapshot, context.container.ports.clock.now_ms(), audience)


async def send_message(context: Context, principal: Principal, agent: Agent, params: SendParams) -> SeenJob:
    message, push = params.message, params.configuration.task_push_notification_config
    if not message.text.strip() and not message.data and not message.file_parts:
        raise RpcError(INVALID_PARAMS, "message.parts: there is no text, data or file")
    if message.task_id:
        if push is not None:
            raise RpcError("PUSH_NOTIFICATION_NOT_SUPPORTED", FIXED_PUSH)
        return await _answer(context, principal, agent, message)
    url = ""
    if push is not None:
        if push.token or push.authentication:
            detail = "push notifications are signed as Standard Webhooks: leave token and authentication out"
            raise RpcError(INVALID_PARAMS, detail)
        url = push.url
        if fault := address_fault(url) or callback_fault(url, context.container.settings):
            raise RpcError(INVALID_PARAMS, f"configuration.taskPushNotificationConfig.url: {fault}")
    job = await _submit(context, principal.tenant, agent, message, url)
    try:
        return await look_up(context, principal, agent, job.id)
    except ApiError as error:
        if error.status != 404:  # noqa: PLR2004 - a read may be older than a new submission
            raise
        raise StoreError(f"task {job.id!r} is accepted, and reads do not show it yet") from error


async def cancel_task(context: Context, principal: Principal, agent: Agent, task_id: str) -> SeenJob:
    """Cancel a task; a cancelled one stays cancelled."""
    await look_up(context, principal, agent, task_id)
    try:
        await context.jobs.changed(principal, task_id, ChangeBody(action="cancel"))
    except ApiError as error:
        if error.status != 409:  # noqa: PLR2004 - it has ended
            raise
        raise RpcError("TASK_NOT_CANCELABLE", str(error)) from error
    return await look_up(context, principal, agent, task_id)


async def _submit(context: Context, tenant: str, agent: Agent, message: TaskMessage, callback_url: str) -> Job:
    # The same agent gets the same task when a message is sent again; another agent does not.
    job_id = named_job_id(f"message to {agent.name}", tenant, message.context_id, message.message_id)
    session_id = message.context_id or f"session_{job_id.removeprefix('job_')}"
    files = await ChatFiles(context.container).read(tenant, session_id, message.file_parts)
    named = [file for file, _ in files]
    must_take(context.container, agent, named)
    fields = {"jobType": agent.name, "taskDescription": message.text, "inputData": message.data}
    body, now_ms = SubmitBody.model_validate(fields), context.container.ports.clock.now_ms()
    ids = {"job_id": job_id, "session_id": session_id, "tenant": tenant}
    job = new_job(body, context.container, **ids, now_ms=now_ms)
    job = structs.replace(job, request_digest=digest(job.request_digest, named))
    attached = ChatFiles(context.container).attached(job, files)
    task: dict[str, Any] = {"text": message.text, "chat": {"messageId": message.message_id}, A2A: {}}
    task |= ({"data": message.data} if message.data else {}) | ({"files": named} if named else {})
    notifying = structs.replace(job, notifies=callback_url)
    accepted = (await Sessions(context.container).submit(notifying, task, may_exist=True, attached=attached)).job
    if not is_same_request(accepted, job):
        detail = f"message.messageId {message.message_id!r} was sent with other parts before: use a new id"
        raise RpcError(INVALID_PARAMS, detail)
    return accepted


async def _answer(context: Context, principal: Principal, agent: Agent, message: TaskMessage) -> SeenJob:
    found = await look_up(context, principal, agent, message.task_id)
    job = found.snapshot.job
    if message.context_id and message.context_id != job.session_id:
        raise RpcError(INVALID_PARAMS, f"message.contextId: task {job.id!r} is of context {job.session_id!r}")
    if job.ended or not found.asked:
        named = {str(part.data.get("checkpointId")) for part in message.parts if isinstance(part.data, dict)}
        if named and named <= found.decided:  # it comes again, since its response was lost
            return found
        state = f"has ended: it is {job.status}" if job.ended else "waits for no input"
        detail = f"task {job.id!r} {state}; send a message without taskId, in context {job.session_id!r}"
        raise RpcError("UNSUPPORTED_OPERATION", detail)
    try:
        await decide(context.container, principal, _answers(message, found))
    except ApiError as error:
        if error.status != 403:  # noqa: PLR2004 - not theirs to decide
            raise
        raise RpcError("UNSUPPORTED_OPERATION", str(error)) from error
    return await look_up(context, principal, agent, message.task_id)


def _answers(message: TaskMessage, found: SeenJob) -> dict[str, ApprovalAnswer]:
    """Parse a message's answers, by checkpoint: each part with data is one."""
    pending = [str(view["id"]) for view in found.asked]
    answers: dict[str, ApprovalAnswer] = {}
    for place, part in enumerate(message.parts):
        if part.data is None:
            continue
        named = part.data.get("checkpointId") if isinstance(part.data, dict) else None
        checkpoint_id = str(named or (pending[0] if len(pending) == 1 else ""))
        try:
            answers[checkpoint_id] = ApprovalAnswer.model_validate(part.data)
        except ValidationError as error:
            detail = f"message.parts.{place}.data: {error.errors()[0]['msg']}; {_WANTED}"
            raise RpcError(INVALID_PARAMS, detail) from error
    if not answers:
        raise RpcError(INVALID_PARAMS, f"message.parts: a part with data is needed; {_WANTED}")
    if unknown := set(answers).difference(pending, found.decided):
        detail = f"message.parts: checkpointId {min(unknown)!r} is none; the task asks {', '.join(pending)}"
        raise RpcError(INVALID_PARAMS, detail)
    return {one: answer for one, answer in answers.items() if one in pending}


_WANTED = 'write {"approved": true or false, "editedArgs"?: {…}, "reason"?: "…", "checkpointId"?: "…"}'
