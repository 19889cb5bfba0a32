"""`POST /mcp`: MCP over streamable HTTP, in both revisions and without a session, for agents that are exposed by it.

Invariant: any process answers any request, and a closed connection changes nothing: the job continues. Keys, rates,
pages of strangers and an absent store are HTTP errors, as everywhere; other errors are the protocol's. Pages may call
it that are this deployment's, or of CORS_ORIGINS: others could reach a server on the visitor's machine, by a host name
that resolves to it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.server.api.auth import Principal
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, api_error, limited_body
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
from baton.server.protocols.mcp.calls import SERVER_INFO, Asked, call_tool, done, failed, result_of_task, shown_task
from baton.server.protocols.mcp.tasks import cancel_task, look_up, take_answer, take_answers
from baton.server.protocols.mcp.tools import LIST_TTL_MS, exposed_agents, tool_of
from baton.settings.settings import Settings
from baton_events.errors import BatonError
from baton_events.ids import canonical_json
from baton_events.setting import is_loopback


def check_origin(request: Request, settings: Settings) -> None:
    """Check that a request comes from no page, or from one that may call MCP. Raises ApiError: 403."""
    origin = request.headers.get("origin")
    if origin is None or origin in settings.cors_origins.split(","):
        return
    own = settings.worker_base_url or str(request.base_url)
    if urlsplit(origin).netloc == urlsplit(own).netloc or (is_loopback(own) and is_loopback(origin)):
        return
    raise ApiError(403, f"a page of {origin[:80]!r} may not call this: name it in CORS_ORIGINS")


Part = dict[str, Any]
Method = Callable[[Context, Asked], Awaitable[Part | Response]]
_CACHED = {"ttlMs": LIST_TTL_MS, "cacheScope": "private"}


async def call_mcp(context: Context, request: Request) -> Response:
    """Answer 200 with the method's result, as JSON or a stream of events; 202 if none is needed; or an error."""
    principal, request_id = await context.keys.authenticate(request), None
    check_origin(request, context.container.settings)
    message: Any = None
    try:
        message = decoded(await limited_body(request))
        request_id = _id_of(message)
        call = read_call(request.headers, message)
        if not call.method and isinstance(call.id, str):
            await _answered(context, principal, call)
        if not call.method or call.id is None:
            return Response(status_code=202)
        found = await _method(call)(context, Asked(request, principal, call))
        return found if isinstance(found, Response) else JSONResponse(done(call, found))
    except RpcError as error:
        return _refused(request, message, request_id, error)
    except BatonError as error:
        return _refused(request, message, request_id, rpc_error(api_error(error)))


def _method(call: Call) -> Method:
    methods = _MODERN if call.modern else _LEGACY
    if call.method not in methods:
        detail = f"there is no method {call.method[:80]!r}; there are: {', '.join(methods)}"
        raise RpcError(METHOD_NOT_FOUND, detail)
    if call.modern and call.method.startswith("tasks/") and not call.takes_tasks:
        raise missing_capability({"extensions": {TASKS: {}}}, f"declare the extension {TASKS} to use its methods")
    return methods[call.method]


async def _answered(context: Context, principal: Principal, call: Call) -> None:
    """Take a client's answer to a question of a stream; an error leaves the question open."""
    if call.result is not None:
        await take_answer(context, principal, str(call.id), call.result)


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
    """Accept answers to a task's questions."""
    found = await look_up(context, asked.principal, asked.call.text("taskId"))
    await take_answers(context, asked.principal, found, asked.call.params.get("inputResponses"))
    return {}


async def _listen(_context: Context, asked: Asked) -> Response:
    """End the stream at once: there is nothing to listen to, as tasks are polled and tools change by a deploy."""
    params = {"_meta": {"io.modelcontextprotocol/subscriptionId": asked.call.id}, "notifications": {}}
    message = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}
    content = f"event: message\ndata: {canonical_json(message)}\n\n"
    return Response(content, media_type="text/event-stream")


def _id_of(message: Any) -> str | int | None:
    """Return the id of a request, if it has a valid one: its error names it."""
    found = message.get("id") if isinstance(message, dict) else None
    is_id = (isinstance(found, str) and len(found) <= ID_LIMIT_CHARS) or type(found) is int
    return found if is_id else None


def _refused(request: Request, message: Any, request_id: str | int | None, error: RpcError) -> Response:
    return JSONResponse(failed(request_id, error), error.http_status(modern=is_modern(request.headers, message)))


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
