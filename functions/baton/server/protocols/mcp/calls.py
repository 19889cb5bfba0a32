"""Calls of tools: a task at once for a client that takes tasks, and for others the answer in the same response.

Such a call waits for the job's end. It reads the job's parts while it waits, so a stream of progress is the same wait.
In revision 2026-07-28 a call that has waited long enough comes again, with a state that names its job; in older ones it
becomes a stream, for as long as the host allows. Invariant: a job is submitted once for a call, however often the call
comes again.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from baton.engine.state import Job
from baton.sdk.agents.agent import Agent
from baton.sdk.distribution import DISTRIBUTION
from baton.server.api.auth import Keys, Principal
from baton.server.api.jobs.approval_list import SeenJob
from baton.server.api.jobs.job import JobsApi, idempotency_key_of
from baton.server.api.stream import StreamReader, Streams, is_live
from baton.server.api.stream_token import Permit, check_capacity
from baton.server.protocols.mcp.body import Call, RpcError, missing_capability
from baton.server.protocols.mcp.call_form import CallForm
from baton.server.protocols.mcp.task_view import created_task, related, requests_of, task_of, text_result, tool_result
from baton.server.protocols.mcp.tasks import Tasks
from baton.server.protocols.mcp.tools import ArgumentsError, tool_named
from baton.store.records.jobs import StoredParts
from baton.worker.container import Container

Part = dict[str, Any]
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


class Calls:
    """Calls of tools, and waits for their answers."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container, self._keys = container, keys
        self.tasks, self._streams = Tasks(container, jobs), Streams(container, keys)

    async def call(self, asked: Asked) -> Part | Response:
        """Answer `tools/call` with a task, or with the tool's result."""
        call, principal = asked.call, asked.principal
        agent, arguments = tool_named(self._container.registry, call.text("name")), call.params.get("arguments")
        state = call.params.get("requestState")
        check_capacity(self._container, principal)  # before there is a job
        if state is not None:
            found = await self.tasks.resumed(principal, agent, arguments, state)
            if await self.tasks.take_answers(principal, found, call.params.get("inputResponses") or {}):
                return text_result(f"nobody has decided: {_goes_on(found.snapshot.job)}", is_error=True)
            found = await self.tasks.look_up(principal, found.snapshot.job.id)
        else:
            try:
                found = await self.tasks.accepted(principal, agent, arguments, idempotency_key_of(asked.request))
            except ArgumentsError as error:
                return text_result(str(error), is_error=True)
        if call.takes_tasks:
            return created_task(self.view(found, call), modern=call.modern)
        return await self._answered(_Wait(asked, found, agent, arguments))

    async def result(self, asked: Asked) -> Part | Response:
        """Answer `tasks/result` of revision 2025-11-25 with the call's own answer, once the call has ended."""
        found = await self.tasks.look_up(asked.principal, asked.call.text("taskId"))
        return await self._answered(_Wait(asked, found))

    def view(self, found: SeenJob, call: Call) -> Part:
        """Return the task in the client's revision."""
        retention_ms = self._container.settings.job_retention_seconds * 1000
        asked = found.asked if call.takes_questions else ()
        return task_of(found.snapshot, found.now_ms, asked, retention_ms, modern=call.modern)

    async def _answered(self, wait: _Wait) -> Part | Response:
        """Return the answer once there is one; a stream if one is wanted, or if an older client has waited long."""
        request, principal, call = wait.asked.request, wait.asked.principal, wait.asked.call
        job, can_stream = wait.found.snapshot.job, _can_stream(request)
        streams = can_stream and call.meta.get("progressToken") is not None
        if not streams and not job.ended:
            await self._settled(wait)
            wait = replace(wait, found=await self.tasks.look_up(principal, job.id))
            job, streams = wait.found.snapshot.job, can_stream and not call.modern
        if job.ended or not streams:
            return self._result(wait, job, wait.found.asked)
        stored = await self._container.ports.reader.parts(job.id, 0)
        first, form = stored if stored.job is not None else StoredParts(job), self._form(wait)
        response = self._streams.respond(request, principal, first, form=form)
        response.body_iterator = _closed(response.body_iterator, form)
        return response

    async def _settled(self, wait: _Wait) -> None:
        """Wait until the job ends, or waits for people, or the time is up: as a reader of its stream does."""
        asked, job = wait.asked, wait.found.snapshot.job
        permit, form = Permit(self._container, self._keys, asked.request, asked.principal), self._form(wait)
        reader = StreamReader(self._container, permit, job.id, 0, form)
        with suppress(TimeoutError), reader.reading():
            async with asyncio.timeout(ANSWER_SECONDS):
                async for _ in reader.events(await self._container.ports.reader.parts(job.id, 0)):
                    if form.waits_for_people:
                        return

    def _form(self, wait: _Wait) -> CallForm:
        found = wait.found
        return CallForm(wait.asked.call, found.snapshot.job, partial(self._message, wait), found.decided)

    def _message(self, wait: _Wait, job: Job, asked: Sequence[Part]) -> Part:
        try:
            return done(wait.asked.call, self._result(wait, job, asked))
        except RpcError as error:
            return failed(wait.asked.call.id, error)

    def _result(self, wait: _Wait, job: Job, asked: Sequence[Part]) -> Part:
        """Return the answer for the job's current state; `asked`: the decisions that it waits for."""
        call = wait.asked.call
        if job.ended:
            return tool_result(job) if call.modern else related(tool_result(job), job)
        if not call.modern or wait.agent is None:
            return related(text_result(f"there is no answer yet: {_goes_on(job)}", is_error=True), job)
        if asked and not call.takes_questions:
            titles = "; ".join(str(view["title"]) for view in asked)
            detail = f"{_goes_on(job)} once people have decided: {titles}. A client that declares elicitation is asked"
            raise missing_capability({"elicitation": {"form": {}}}, detail)
        state = self.tasks.state_of(job.id, wait.agent, wait.arguments, asked)
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
