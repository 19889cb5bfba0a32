"""Calls of tools: a task at once for a client that takes tasks, and for others the answer in the same response.

Such a call waits for the job's end. It reads the job's parts while it waits, so a stream of progress is the same wait.
In revision 2026-07-28 a call that has waited long enough, or has a question, ends and comes again, with a state that
names its job; in older ones it becomes a stream, for as long as the host allows, on which a question is a request whose
answer comes to any process. Invariant: a job is submitted once for a call, however often the call comes again. A
decision that is recorded is never asked for again, also where a stream is read from its beginning.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from baton.engine.state import Job
from baton.sdk.agents.agent import Agent
from baton.sdk.distribution import DISTRIBUTION
from baton.sdk.records.stream_part import StreamPart
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import SeenJob
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.stream import StreamReader, is_live, streamed
from baton.server.api.stream_form import HEADERS
from baton.server.api.stream_token import Permit, check_capacity
from baton.server.protocols.mcp.body import Call, RpcError, missing_capability
from baton.server.protocols.mcp.tasks import (
    accepted,
    created_task,
    look_up,
    question_of,
    related,
    requests_of,
    resumed,
    state_of,
    take_answers,
    task_of,
    text_result,
    tool_result,
)
from baton.server.protocols.mcp.tools import ArgumentsError, exposed_agents, tool_named
from baton.store.records.jobs import StoredParts
from baton_events.ids import canonical_json

Part = dict[str, Any]
# Makes the last message: of an ended job, of one that waits for people, or of one that continues (`asked` empty).
Answering = Callable[[Job, Sequence[Part]], Part]


class CallForm:
    """`Form` of a call. `answer` makes the last message; `decided`: the ids of decided questions."""

    headers: ClassVar[Mapping[str, str]] = HEADERS
    over = False

    def __init__(self, call: Call, job: Job, answer: Answering, decided: frozenset[str]) -> None:
        self._call, self._job, self._answer = call, job, answer
        self._token = call.meta.get("progressToken")
        self._decided, self._asked = decided, set[str]()
        self._calls, self._steps = OpenCalls(), 0

    @property
    def waits_for_people(self) -> bool:
        """Whether nothing happens until a person decides."""
        return self._calls.only_people_are_awaited

    def part(self, job: Job, number: int, part: str) -> str:  # noqa: ARG002 - as Form has it
        if self.over:
            return ""
        read: StreamPart = json.loads(part)
        self._calls.take(read)
        self._calls.decided(self._decided)
        messages = self._progress(read)
        if read["type"] == "finish" and job.ended:
            messages.append(self._last(job))
        elif self._call.modern and self.waits_for_people:
            messages.append(self._last(job, list(self._calls.questions.values())))
        elif not self._call.modern:
            messages += self._questions(job)
        return "".join(f"event: message\ndata: {canonical_json(message)}\n\n" for message in messages)

    def ending(self, job: Job) -> str:
        """Return the answer, where no part has had it."""
        return "" if self.over else f"event: message\ndata: {canonical_json(self._last(job))}\n\n"

    def closing(self) -> str:
        """Return the answer of a stream that ends before the job."""
        return self.ending(self._job)

    def _last(self, job: Job, asked: Sequence[Part] = ()) -> Part:
        self.over = True
        return self._answer(job, asked)

    def _progress(self, part: StreamPart) -> list[Part]:
        if self._token is None or part["type"] not in ("start-step", "data-progress"):
            return []
        self._steps += 1
        text = part["data"]["text"] if part["type"] == "data-progress" else ""
        params = {"progressToken": self._token, "progress": self._steps} | ({"message": text} if text else {})
        return [{"jsonrpc": "2.0", "method": "notifications/progress", "params": params}]

    def _questions(self, job: Job) -> list[Part]:
        new = {name: view for name, view in self._calls.questions.items() if name not in self._asked}
        self._asked |= new.keys()
        meta = {"io.modelcontextprotocol/related-task": {"taskId": job.id}}
        return [
            {
                "jsonrpc": "2.0",
                "id": name,
                "method": "elicitation/create",
                "params": question_of(view) | {"_meta": meta},
            }
            for name, view in new.items()
        ]


SERVER_INFO = {"name": "baton", "title": "Baton", "version": version(DISTRIBUTION)}


def done(call: Call, result: Part) -> Part:
    """Build the response to a call; in revision 2026-07-28 a result names its kind and its server."""
    if call.modern:
        meta = {"io.modelcontextprotocol/serverInfo": SERVER_INFO} | result.get("_meta", {})
        result = {"resultType": "complete"} | result | {"_meta": meta}
    return {"jsonrpc": "2.0", "id": call.id, "result": result}


def failed(request_id: str | int | None, error: RpcError) -> Part:
    """Build the error response to a request; without an id if the request has none that can be read."""
    return {"jsonrpc": "2.0"} | ({} if request_id is None else {"id": request_id}) | {"error": error.value}


# An answer is waited for this long before a stream begins or the call comes again; few hosts allow much more.
ANSWER_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its caller and its call."""

    request: Request
    principal: Principal
    call: Call


@dataclass(frozen=True, slots=True)
class _Wait:
    """A wait for a job. `agent` and `arguments`: of the call that began it; without an agent, it waits for a task."""

    asked: Asked
    found: SeenJob
    agent: Agent | None = None
    arguments: Any = None


async def call_tool(context: Context, asked: Asked) -> Part | Response:
    """Answer `tools/call` with a task, or with the tool's result."""
    call, principal = asked.call, asked.principal
    agent, arguments = tool_named(context.container.registry, call.text("name")), call.params.get("arguments")
    state = call.params.get("requestState")
    check_capacity(context.container, principal)  # before there is a job
    if state is not None:
        found = await resumed(context, principal, agent, arguments, state)
        if await take_answers(context, principal, found, call.params.get("inputResponses") or {}):
            return text_result(f"nobody has decided: {_goes_on(found.snapshot.job)}", is_error=True)
        found = await look_up(context, principal, found.snapshot.job.id)
    else:
        try:
            found = await accepted(context, principal, agent, arguments, idempotency_key_of(asked.request))
        except ArgumentsError as error:
            return text_result(str(error), is_error=True)
    if call.takes_tasks:
        return created_task(shown_task(context, found, call), modern=call.modern)
    return await _answered(context, _Wait(asked, found, agent, arguments))


async def result_of_task(context: Context, asked: Asked) -> Part | Response:
    """Answer `tasks/result` of revision 2025-11-25 with the call's own answer, once the call has ended."""
    found = await look_up(context, asked.principal, asked.call.text("taskId"))
    return await _answered(context, _Wait(asked, found))


def shown_task(context: Context, found: SeenJob, call: Call) -> Part:
    """Return the task in the client's revision."""
    retention_ms = context.container.settings.job_retention_seconds * 1000
    asked = found.asked if call.takes_questions else ()
    promised = _promises(context, found.snapshot.job)
    return task_of(found.snapshot, found.now_ms, asked, retention_ms, modern=call.modern, promised=promised)


def _promises(context: Context, job: Job) -> bool:
    agent = exposed_agents(context.container.registry).get(job.agent)
    return agent is not None and agent.output is not None


async def _answered(context: Context, wait: _Wait) -> Part | Response:
    """Return the answer once there is one; a stream if one is wanted, or if an older client has waited long."""
    request, principal, call = wait.asked.request, wait.asked.principal, wait.asked.call
    job, can_stream = wait.found.snapshot.job, _can_stream(request)
    streams = can_stream and call.meta.get("progressToken") is not None
    if not streams and not job.ended:
        await _settled(context, wait)
        wait = replace(wait, found=await look_up(context, principal, job.id))
        job, streams = wait.found.snapshot.job, can_stream and not call.modern
    if job.ended or not streams:
        return _result(context, wait, job, wait.found.asked)
    stored = await context.container.ports.reader.parts(job.id, 0)
    first, form = stored if stored.job is not None else StoredParts(job), _form(context, wait)
    response = streamed(context, request, principal, first, form=form)
    response.body_iterator = _closed(response.body_iterator, form)
    return response


async def _settled(context: Context, wait: _Wait) -> None:
    """Wait until the job ends, or waits for people, or the time is up: as a reader of its stream does."""
    asked, job = wait.asked, wait.found.snapshot.job
    permit, form = Permit(context.container, context.keys, asked.request, asked.principal), _form(context, wait)
    reader = StreamReader(context.container, permit, job.id, 0, form)
    with suppress(TimeoutError), reader.reading():
        async with asyncio.timeout(ANSWER_SECONDS):
            async for _ in reader.events(await context.container.ports.reader.parts(job.id, 0)):
                if form.waits_for_people:
                    return


def _form(context: Context, wait: _Wait) -> CallForm:
    found = wait.found
    return CallForm(wait.asked.call, found.snapshot.job, partial(_message, context, wait), found.decided)


def _message(context: Context, wait: _Wait, job: Job, asked: Sequence[Part]) -> Part:
    try:
        return done(wait.asked.call, _result(context, wait, job, asked))
    except RpcError as error:
        return failed(wait.asked.call.id, error)


def _result(context: Context, wait: _Wait, job: Job, asked: Sequence[Part]) -> Part:
    """Return the answer for the job's current state; `asked`: the decisions that it waits for."""
    call = wait.asked.call
    if job.ended:
        result = tool_result(job, promised=_promises(context, job))
        return result if call.modern else related(result, job)
    if not call.modern or wait.agent is None:
        return related(text_result(f"there is no answer yet: {_goes_on(job)}", is_error=True), job)
    if asked and not call.takes_questions:
        titles = "; ".join(str(view["title"]) for view in asked)
        detail = f"{_goes_on(job)} once people have decided: {titles}. A client that declares elicitation is asked"
        raise missing_capability({"elicitation": {"form": {}}}, detail)
    state = state_of(context, job.id, wait.agent, wait.arguments, asked)
    return {"resultType": "input_required", "requestState": state} | (
        {"inputRequests": requests_of(asked)} if asked else {}
    )


async def _closed(events: AsyncIterable[Any], form: CallForm) -> AsyncIterator[Any]:
    """Yield a call's stream with its answer at the end, also where the host ends the stream before the job."""
    async for text in events:
        yield text
    if last := form.closing():
        yield last


def _goes_on(job: Job) -> str:
    return f"job {job.id} goes on"


def _can_stream(request: Request) -> bool:
    accepts = request.headers.get("accept", "*/*")
    return is_live(request.scope) and ("text/event-stream" in accepts or "*/*" in accepts)
