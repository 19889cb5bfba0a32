"""`POST /api/ag-ui/{agent}`: runs of AG-UI. A thread is a session; a run is a job of it, or continues one that asked.

Invariant: the job follows from thread and run, so a repeated request is the same job, and gets the same events. A run's
first request fixes its input. A closed connection changes nothing. Interrupts are approvals: the first decision counts,
whether it comes from here or from elsewhere. An event's id is `<ms>-<n>.<k>`: the job's creation time, the part's
number, and the event's within the part. The same parts give the same events under the same ids, so what a reader has is
left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from baton.engine.state import Job
from baton.engine.waits import LIMIT_APPROVAL
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import UnknownAgentError
from baton.sdk.records.stream_part import StreamPart
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import approvals_of
from baton.server.api.jobs.approvals import answer_schema, decide
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import no_job
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.jobs.submission import SubmitBody, is_same_request, new_job
from baton.server.api.problem import ApiError, limited_body
from baton.server.api.session_line import Sessions
from baton.server.api.sessions.chat import forget_replaced, must_take, newest_messages
from baton.server.api.sessions.files import ChatFiles
from baton.server.api.stream import streamed
from baton.server.api.stream_form import HEADERS, numbered, position_in
from baton.server.api.stream_token import check_capacity
from baton.server.protocols.ag_ui.body import RunAgentInput, answer_of, read_run_input
from baton.server.protocols.ag_ui.translation import Event, Part, Translation
from baton.store.records.jobs import StoredParts
from baton.worker.conversation.exchanges import replaced_by
from baton_events.ids import call_of_operation, canonical_json, digest, job_of_call, named_job_id, operation_id

PROTOCOL_VERSION = "1.0"
_LIMIT_CHARS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """A run.

    `messages`: the conversation before it, as its front end has it. `has_more`: the front end has messages behind
    those: of this run, or of an answer that it replaces. `answers`: the questions that its request decides.
    """

    thread_id: str
    run_id: str
    messages: list[Part] = field(default_factory=list[Part])
    has_more: bool = False
    answers: frozenset[str] = frozenset()


class RunStream:
    """`Form` of a run. `seen`: the last event that its reader has received."""

    headers: ClassVar[Mapping[str, str]] = HEADERS
    over = False

    def __init__(self, run: Run, job_id: str, seen: tuple[int, int] | None = None) -> None:
        self._run, self._seen = run, seen or (0, 0)
        self._calls, self._translation = OpenCalls(), Translation(job_id, run.messages)
        self._begun = not run.answers
        self._started = self._finished = False

    def part(self, job: Job, number: int, part: str) -> str:
        read: StreamPart = json.loads(part)
        self._calls.take(read)
        if self.over:
            return ""  # of the next run
        if not self._begun:
            self._look_for_the_beginning()
            return ""
        events = self._events(job, number, read)
        if self._calls.only_people_are_awaited and not self._finished:
            events += [*self._translation.closed(), self._finish(outcome=self._interrupts)]
            self.over = True
        return numbered(job, number, events, self._seen)

    def ending(self, job: Job) -> str:
        """Return only a comment, since the run has its own end; an error where its beginning is no longer kept."""
        if self.over:
            return ""
        if self._finished:
            return ": end\n\n"
        message = f"job {job.id} has ended, and this run of it is no longer kept"
        lost = [self._start, {"type": "RUN_ERROR", "message": message, "code": "gone"}]
        return "".join(f"data: {canonical_json(event)}\n\n" for event in lost[self._started :])

    def _look_for_the_beginning(self) -> None:
        """Find the run's beginning: it follows the part at which the run before ended with this one's questions."""
        if self._calls.only_people_are_awaited and self._run.answers.issuperset(self._calls.questions):
            self._begun = True
            self._calls.decided(self._run.answers)

    def _events(self, job: Job, number: int, part: StreamPart) -> list[Event]:
        events = list[Event]()
        if self._finished and part["type"] == "data-job-retried":
            self._started = self._finished = False
            self._translation.begin_again()
        if self._finished:
            return events  # events after a job's end are not part of its run
        if not self._started:
            events += [self._start, *([self._translation.snapshot()] if self._run.has_more else [])]
            self._started = True
        events += self._translation.events(number, part)
        if part["type"] == "finish":
            events += self._end_of(job, part["messageMetadata"]["status"])
        return events

    def _end_of(self, job: Job, status: str) -> list[Event]:
        translation = self._translation
        if status == "failed":
            self._finished = True
            code = {"code": job.error.type} if job.error else {}
            error = {"type": "RUN_ERROR", "message": translation.error_text or "the job failed", **code}
            return [error | translation.usage]
        result = {} if job.result is None else {"result": job.result}
        outcome = {"type": "cancelled"} if status == "cancelled" else {"type": "success"}
        return [*translation.closed(), self._finish(**result, outcome=outcome)]

    @property
    def _start(self) -> Event:
        names = {"threadId": self._run.thread_id, "runId": self._run.run_id}
        return {"type": "RUN_STARTED", **names, "protocolVersion": PROTOCOL_VERSION}

    def _finish(self, **fields: Any) -> Event:
        self._finished = True
        names = {"threadId": self._run.thread_id, "runId": self._run.run_id}
        return {"type": "RUN_FINISHED", **names, **fields, **self._translation.usage}

    @property
    def _interrupts(self) -> dict[str, Any]:
        return {"type": "interrupt", "interrupts": [_interrupt(view) for view in self._calls.questions.values()]}


def _interrupt(view: Part) -> dict[str, Any]:
    """Convert a question about a tool call or a limit into AG-UI's form."""
    about = {name: view[name] for name in ("tool", "arguments", "digest")}
    expires = {"expiresAt": view["expiresAt"]} if view["expiresAt"] else {}
    call = {"reason": "tool_call", "toolCallId": view["callId"]} if view["tool"] else {"reason": "confirmation"}
    return {
        "id": view["id"],
        **call,
        "message": view["title"][:_LIMIT_CHARS],
        "responseSchema": answer_schema(view),
        **expires,
        "metadata": {"baton": about},
    }


async def run_agent(context: Context, request: Request) -> Response:
    """Answer 200 with the run's events, or only those after `Last-Event-ID` if the request has it."""
    principal, seen = await context.keys.authenticate(request), position_in(request)
    body = read_run_input(await limited_body(request))
    try:
        agent = context.container.registry.agent(request.path_params["agent"])
    except UnknownAgentError as error:
        raise ApiError(404, str(error)) from error
    _check_tools(context, agent, body)
    check_capacity(context.container, principal)  # before there is a job
    if seen is None:
        job = await (_resumed if body.resume else _begun)(context, principal, agent, body)
        stored = await context.container.ports.reader.parts(job.id, 0)
        first = replace(stored, job=stored.job or job)  # a read may be older than a new submission
    else:
        first = await _read(context, principal, agent, body)
    assert first.job is not None, "it is accepted, or was found"
    messages = [message.model_dump(by_alias=True, exclude_unset=True) for message in body.messages]
    if body.resume:
        answers = frozenset(entry.interrupt_id for entry in body.resume)
        run = Run(body.thread_id, body.run_id, messages, answers=answers)
    else:
        before = messages[: body.place + 1]
        run = Run(body.thread_id, body.run_id, before, has_more=len(before) < len(messages))
    form = RunStream(run, first.job.id, seen)
    return streamed(context, request, principal, first, form=form)


async def _read(context: Context, principal: Principal, agent: Agent, body: RunAgentInput) -> StoredParts:
    """Read the job of an earlier run: a reader that comes back for the rest starts and decides nothing."""
    asked = [job_of_call(call_of_operation(entry.interrupt_id)) for entry in body.resume]
    job_id = asked[0] if asked else named_job_id("run", principal.tenant, body.thread_id, body.run_id)
    stored = await context.container.ports.reader.parts(job_id, 0)
    if stored.job is None:
        raise await no_job(context.container.ports.archive, principal, job_id)
    of_run = (stored.job.session_id, stored.job.agent) == (body.thread_id, agent.name)
    if not principal.may_see(stored.job.tenant) or not of_run:
        raise ApiError(403, f"run {body.run_id!r} of thread {body.thread_id!r} is not yours, or another agent's")
    return stored


def _check_tools(context: Context, agent: Agent, body: RunAgentInput) -> None:
    """Refuse tools of the front end: no agent calls them, and the model would not learn of them."""
    known = context.container.registry.tools_of(agent)
    for place, tool in enumerate(body.tools):
        if tool.name not in known:
            detail = f"agent {agent.name!r} has no tool {tool.name!r}, and calls none of its front end: leave it out"
            raise ApiError(422, detail, [(f"tools.{place}.name", detail)])


async def _begun(context: Context, principal: Principal, agent: Agent, body: RunAgentInput) -> Job:
    """Start the job that answers the last message, or return the existing one for a repeated request."""
    tenant, thread = principal.tenant, body.thread_id
    job_id = named_job_id("run", tenant, thread, body.run_id)
    earlier = await newest_messages(context.container, tenant, thread)
    known = next((one for one in earlier if one.job.id == job_id), None)
    replaced = None
    if known is None:  # a new message would wait in line behind a question that its sender can answer
        items = (item for one in earlier for item in one.items)
        asking = [operation_id(item.call_id) for item in items if item.approval_of_call or item.tool == LIMIT_APPROVAL]
        if asking:
            listed = ", ".join(map(repr, asking))
            raise ApiError(409, f"thread {thread!r} has open interrupts: answer {listed} by `resume` first")
        # The newest job that has answered this message: the message is answered anew.
        mine = [one for one in earlier if one.task["chat"].get("messageId") == body.asked.id]
        replaced = max(mine, key=lambda one: (one.job.created_at_ms, one.job.id), default=None)
    replaces = replaced_by(known.task) if known else replaced.job.id if replaced else ""
    files = await ChatFiles(context.container).read(tenant, thread, body.file_parts)
    named = [file for file, _ in files]
    must_take(context.container, agent, named)
    fields = {"jobType": agent.name, "taskDescription": body.text, "sessionId": thread}
    ids = {"job_id": job_id, "session_id": thread, "tenant": tenant}
    now_ms = context.container.ports.clock.now_ms()
    job = new_job(SubmitBody.model_validate(fields), context.container, **ids, now_ms=now_ms)
    # A front end that repeats the request may have another state by then: the first one counts.
    job = structs.replace(job, request_digest=digest(job.request_digest, body.asked.id, named))
    chat = {"messageId": body.asked.id} | ({"replaces": replaces} if replaces else {})
    task: dict[str, Any] = {"text": body.text, "chat": chat}
    task |= ({"data": body.data} if body.data else {}) | ({"files": named} if named else {})
    attached = ChatFiles(context.container).attached(job, files)
    accepted = await Sessions(context.container).submit(job, task, may_exist=True, attached=attached)
    if replaced is not None and not replaced.job.ended:
        await Sessions(context.container).stop([replaced.job], f"job {job.id}, which replaces its answer")
    await forget_replaced(context.container, job, task)
    if not is_same_request(accepted.job, job):
        detail = f"run {body.run_id!r} was started with another message before: a new run needs a new id"
        raise ApiError(422, detail, [("runId", detail)])
    return accepted.job


async def _resumed(context: Context, principal: Principal, agent: Agent, body: RunAgentInput) -> Job:
    """Return the job that asked, once its questions are decided."""
    job_ids = {job_of_call(call_of_operation(entry.interrupt_id)) for entry in body.resume}
    snapshot = await context.jobs.snapshot(principal, job_ids.pop()) if len(job_ids) == 1 and all(job_ids) else None
    asked = approvals_of(snapshot, context.container.ports.clock.now_ms()) if snapshot else []
    status = {view["id"]: view["status"] for view in asked}
    of_thread = snapshot and (snapshot.job.session_id, snapshot.job.agent) == (body.thread_id, agent.name)
    for place, entry in enumerate(body.resume):
        if not of_thread or entry.interrupt_id not in status:
            detail = f"{entry.interrupt_id!r} is no interrupt of thread {body.thread_id!r}, or not of its last run"
            raise ApiError(422, detail, [(f"resume.{place}.interruptId", detail)])
    answers = {entry.interrupt_id: answer_of(entry) for entry in body.resume}
    for asked_id, at in status.items():
        if at == "pending" and asked_id not in answers:
            detail = f"`resume` must answer all open interrupts, and has no answer to {asked_id!r}"
            raise ApiError(422, detail, [("resume", detail)])
    pending = {one: answer for one, answer in answers.items() if status[one] == "pending"}
    await decide(context.container, principal, pending)
    assert snapshot is not None, "an interrupt is one of a job"
    return snapshot.job
