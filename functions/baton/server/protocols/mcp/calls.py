"""`POST /mcp`: MCP over streamable HTTP, in both revisions and without a session, for agents that are exposed by it.

A call of a tool is a task at once for a client that takes tasks, and for others the answer in the same response. Such a
call waits for the job's end. It reads the job's parts while it waits, so a stream of progress is the same wait.
In revision 2026-07-28 a call that has waited long enough, or has a question, ends and comes again, with a state that
names its job; in older ones it becomes a stream, for as long as the host allows, on which a question is a request whose
answer comes to any process. Invariant: a job is submitted once for a call, however often the call comes again. A
decision that is recorded is never asked for again, also where a stream is read from its beginning. Any process answers
any request, and a closed connection changes nothing: the job continues. Keys, rates, pages of strangers and an absent
store are HTTP errors, as everywhere; other errors are the protocol's. Pages may call it that are this deployment's, or
of CORS_ORIGINS: others could reach a server on the visitor's machine, by a host name that resolves to it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, ClassVar
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.state import Job
from baton.sdk.agents.agent import Agent
from baton.sdk.distribution import DISTRIBUTION
from baton.sdk.records.stream_part import StreamPart
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import SeenJob
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.job import idempotency_key_of
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.problem import ApiError, api_error, limited_body
from baton.server.api.stream import StreamReader, is_live, streamed
from baton.server.api.stream_form import HEADERS
from baton.server.api.stream_token import Permit, check_capacity
from baton.server.protocols.mcp.body import (
    ID_LIMIT_CHARS,
    INVALID_PARAMS,
    LEGACY,
    METHOD_NOT_FOUND,
    MODERN,
    SUPPORTED,
    TASKS,
    Call,
    RpcError,
    decoded,
    is_modern,
    missing_capability,
    read_call,
    rpc_error,
)
from baton.server.protocols.mcp.tasks import (
    LIST_TTL_MS,
    ArgumentsError,
    accepted,
    cancel_task,
    created_task,
    exposed_agents,
    look_up,
    question_of,
    related,
    requests_of,
    resumed,
    state_of,
    take_answer,
    take_answers,
    task_of,
    text_result,
    tool_named,
    tool_of,
    tool_result,
)
from baton.settings.settings import Settings
from baton.store.records.jobs import StoredParts
from baton_events.errors import BatonError
from baton_events.ids import canonical_json
from baton_events.setting import is_loopback

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

    def ending(self, job: Job | None = None) -> str:
        """Return the answer, where no part has had it; without a job, of a stream that ends before it."""
        job = job or self._job
        return "" if self.over else f"event: message\ndata: {canonical_json(self._last(job))}\n\n"

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
        asks = {"jsonrpc": "2.0", "method": "elicitation/create"}
        return [asks | {"id": name, "params": question_of(view) | {"_meta": meta}} for name, view in new.items()]


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
    job, accepts = wait.found.snapshot.job, request.headers.get("accept", "*/*")
    can_stream = is_live(request.scope) and ("text/event-stream" in accepts or "*/*" in accepts)
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
    events = response.body_iterator

    async def closed() -> AsyncIterator[Any]:
        """Yield the stream with its answer at the end, also where the host ends the stream before the job."""
        async for text in events:
            yield text
        if last := form.ending():
            yield last

    response.body_iterator = closed()
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
    def message(job: Job, asked: Sequence[Part]) -> Part:
        try:
            return done(wait.asked.call, _result(context, wait, job, asked))
        except RpcError as error:
            return failed(wait.asked.call.id, error)

    return CallForm(wait.asked.call, wait.found.snapshot.job, message, wait.found.decided)


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


def _goes_on(job: Job) -> str:
    return f"job {job.id} goes on"


def check_origin(request: Request, settings: Settings) -> None:
    """Check that a request comes from no page, or from one that may call MCP. Raises ApiError: 403."""
    origin = request.headers.get("origin")
    if origin is None or origin in settings.cors_origins.split(","):
        return
    own = settings.worker_base_url or str(request.base_url)
    if urlsplit(origin).netloc == urlsplit(own).netloc or (is_loopback(own) and is_loopback(origin)):
        return
    raise ApiError(403, f"a page of {origin[:80]!r} may not call this: name it in CORS_ORIGINS")


Method = Callable[[Context, Asked], Awaitable[Part | Response]]
_CACHED = {"ttlMs": LIST_TTL_MS, "cacheScope": "private"}


async def call_mcp(context: Context, request: Request) -> Response:
    """Answer 200 with the method's result, as JSON or a stream of events; 202 if none is needed; or an error."""
    principal, request_id = await context.keys.authenticate(request), None
    check_origin(request, context.container.settings)
    message: Any = None
    try:
        message = decoded(await limited_body(request))
        named = message.get("id") if isinstance(message, dict) else None
        if (isinstance(named, str) and len(named) <= ID_LIMIT_CHARS) or type(named) is int:
            request_id = named  # its error names it
        call = read_call(request.headers, message)
        if not call.method and isinstance(call.id, str) and call.result is not None:
            await take_answer(context, principal, call.id, call.result)  # an error leaves the question open
        if not call.method or call.id is None:
            return Response(status_code=202)
        found = await _method(call)(context, Asked(request, principal, call))
        return found if isinstance(found, Response) else JSONResponse(done(call, found))
    except RpcError as error:
        refused = error
    except BatonError as error:
        refused = rpc_error(api_error(error))
    return JSONResponse(failed(request_id, refused), refused.http_status(modern=is_modern(request.headers, message)))


def _method(call: Call) -> Method:
    methods = _MODERN if call.modern else _LEGACY
    if call.method not in methods:
        detail = f"there is no method {call.method[:80]!r}; there are: {', '.join(methods)}"
        raise RpcError(METHOD_NOT_FOUND, detail)
    if call.modern and call.method.startswith("tasks/") and not call.takes_tasks:
        raise missing_capability({"extensions": {TASKS: {}}}, f"declare the extension {TASKS} to use its methods")
    return methods[call.method]


async def _initialize(_context: Context, asked: Asked) -> Part:
    """Answer the handshake of older revisions. Nothing of it is kept."""
    requested = asked.call.params.get("protocolVersion")
    spoken = requested if requested in SUPPORTED and requested != MODERN else LEGACY
    capabilities: Part = {"tools": {}, "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}}
    return {"protocolVersion": spoken, "capabilities": capabilities, "serverInfo": SERVER_INFO}


async def _discover(_context: Context, _asked: Asked) -> Part:
    capabilities: Part = {"tools": {}, "extensions": {TASKS: {}}}
    return {"supportedVersions": list(SUPPORTED), "capabilities": capabilities, **_CACHED}


async def _ping(_context: Context, _asked: Asked) -> Part:
    return {}


async def _tools(context: Context, asked: Asked) -> Part:
    if asked.call.params.get("cursor") not in (None, ""):  # some clients begin with an empty one
        raise RpcError(INVALID_PARAMS, "params.cursor: there is one page")
    modern = asked.call.modern
    agents = exposed_agents(context.container.registry).values()
    return {"tools": [tool_of(agent, modern=modern) for agent in agents]} | (_CACHED if modern else {})


async def _task(context: Context, asked: Asked) -> Part:
    found = await look_up(context, asked.principal, asked.call.text("taskId"))
    return shown_task(context, found, asked.call)


async def _cancel(context: Context, asked: Asked) -> Part:
    """Cancel a task. In revision 2026-07-28 a task that has ended stays as it is."""
    call = asked.call
    try:
        found = await cancel_task(context, asked.principal, call.text("taskId"))
    except ApiError as error:
        if error.status != 409 or not call.modern:  # noqa: PLR2004 - it has ended
            raise
        return {}
    return {} if call.modern else shown_task(context, found, call)


async def _update(context: Context, asked: Asked) -> Part:
    found = await look_up(context, asked.principal, asked.call.text("taskId"))
    await take_answers(context, asked.principal, found, asked.call.params.get("inputResponses"))
    return {}


async def _listen(_context: Context, asked: Asked) -> Response:
    """End the stream at once: there is nothing to listen to, as tasks are polled and tools change by a deploy."""
    params = {"_meta": {"io.modelcontextprotocol/subscriptionId": asked.call.id}, "notifications": {}}
    message = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}
    content = f"event: message\ndata: {canonical_json(message)}\n\n"
    return Response(content, media_type="text/event-stream")


_BOTH: Mapping[str, Method] = {
    "tools/list": _tools,
    "tools/call": call_tool,
    "tasks/get": _task,
    "tasks/cancel": _cancel,
}
_MODERN: Mapping[str, Method] = {
    "server/discover": _discover,
    **_BOTH,
    "tasks/update": _update,
    "subscriptions/listen": _listen,
}
_LEGACY: Mapping[str, Method] = {"initialize": _initialize, "ping": _ping, **_BOTH, "tasks/result": result_of_task}
