"""`POST /a2a/{agent}`: A2A 1.0 over JSON-RPC, for agents that are exposed by it.

Invariant: an error of the protocol is an answer with status 200, as JSON-RPC has it; keys, rates and an absent store
are HTTP errors, as everywhere. A closed connection changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.agents.agent import Agent
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import SeenJob
from baton.server.api.jobs.context import Context
from baton.server.api.problem import api_error, limited_body
from baton.server.api.stream import StreamReader, streamed
from baton.server.api.stream_form import position_in
from baton.server.api.stream_token import Permit, check_capacity
from baton.server.protocols.a2a.body import (
    METHOD_NOT_FOUND,
    PushParams,
    RpcError,
    RpcRequest,
    SendParams,
    TaskParams,
    check_version,
    params_as,
    read_call,
    rpc_error,
)
from baton.server.protocols.a2a.card import exposed_agent
from baton.server.protocols.a2a.tasks import TaskForm, cancel_task, look_up, rpc_result, send_message, view_of
from baton.store.records.jobs import StoredParts
from baton_events.errors import BatonError

# The answer to a message waits this long for the task's end or for its question; few hosts allow a longer request.
ANSWER_SECONDS = 25.0

Method = Callable[[Context, Request, Principal, Agent, RpcRequest], Awaitable[Response]]


async def call_agent(context: Context, request: Request) -> Response:
    """Answer 200 with the method's result, as JSON or as a stream of events, or with its error."""
    principal, request_id = await context.keys.authenticate(request), None
    agent = exposed_agent(context.container, request.path_params["agent"])
    try:
        call = read_call(await limited_body(request))
        request_id = call.id
        check_version(request)
        method = _method(call.method)
        return await method(context, request, principal, agent, call)
    except RpcError as error:
        return _failed(request_id, error)
    except BatonError as error:
        return _failed(request_id, rpc_error(api_error(error)))


def _method(name: str) -> Method:
    if name not in _METHODS:
        listed = ", ".join(_METHODS)
        raise RpcError(METHOD_NOT_FOUND, f"there is no method {name[:80]!r}; there are: {listed}")
    return _METHODS[name]


async def _send(context: Context, request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
    params = params_as(SendParams, call.params)
    check_capacity(context.container, principal)
    found = await send_message(context, principal, agent, params)
    if not params.configuration.return_immediately and not found.snapshot.job.ended and not found.asked:
        await _settled(context, request, principal, found)
        found = await look_up(context, principal, agent, found.snapshot.job.id)
    return _done(call, {"task": view_of(found, params.configuration.history_length)})


async def _settled(context: Context, request: Request, principal: Principal, found: SeenJob) -> None:
    """Wait until the task ends, or requires input, or the time is up: as a reader of its stream does."""
    permit, job = Permit(context.container, context.keys, request, principal), found.snapshot.job
    form = TaskForm(None, {}, found.decided, None, found.now_ms)
    reader = StreamReader(context.container, permit, job.id, 0, form)
    with suppress(TimeoutError), reader.reading():
        async with asyncio.timeout(ANSWER_SECONDS):
            async for _ in reader.events(await context.container.ports.reader.parts(job.id, 0)):
                pass


async def _stream(context: Context, request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
    params = params_as(SendParams, call.params)
    check_capacity(context.container, principal)  # before there is a job
    found = await send_message(context, principal, agent, params)
    return await _follow(context, request, principal, call, found)


async def _subscribe(
    context: Context, request: Request, principal: Principal, agent: Agent, call: RpcRequest
) -> Response:
    found = await look_up(context, principal, agent, params_as(TaskParams, call.params).id)
    if found.snapshot.job.ended:
        job = found.snapshot.job
        raise RpcError("UNSUPPORTED_OPERATION", f"task {job.id!r} has ended: it is {job.status}; use GetTask")
    return await _follow(context, request, principal, call, found)


async def _follow(
    context: Context, request: Request, principal: Principal, call: RpcRequest, found: SeenJob
) -> Response:
    """Stream the task from its beginning, or from behind the event that the reader names."""
    seen, job = position_in(request), found.snapshot.job
    stored = await context.container.ports.reader.parts(job.id, 0)
    first = stored if stored.job is not None else StoredParts(job)
    form = TaskForm(call.id, view_of(found), found.decided, seen, found.now_ms)
    return streamed(context, request, principal, first, form=form)


async def _get(context: Context, _request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
    params = params_as(TaskParams, call.params)
    return _done(call, view_of(await look_up(context, principal, agent, params.id), params.history_length))


async def _cancel(
    context: Context, _request: Request, principal: Principal, agent: Agent, call: RpcRequest
) -> Response:
    found = await cancel_task(context, principal, agent, params_as(TaskParams, call.params).id)
    return _done(call, view_of(found))


async def _push_configs(
    context: Context, _request: Request, principal: Principal, agent: Agent, call: RpcRequest
) -> Response:
    return _done(call, {"configs": await _configs(context, principal, agent, call), "nextPageToken": ""})


async def _push_config(
    context: Context, _request: Request, principal: Principal, agent: Agent, call: RpcRequest
) -> Response:
    configs = await _configs(context, principal, agent, call)
    if not configs:
        raise RpcError("TASK_NOT_FOUND", "the task has no push notification")
    return _done(call, configs[0])


async def _configs(context: Context, principal: Principal, agent: Agent, call: RpcRequest) -> list[dict[str, Any]]:
    found = await look_up(context, principal, agent, params_as(PushParams, call.params).task_id)
    job = found.snapshot.job
    return [{"id": job.id, "taskId": job.id, "url": job.notifies}] if job.notifies else []


async def _fixed(
    _context: Context, _request: Request, _principal: Principal, _agent: Agent, _call: RpcRequest
) -> Response:
    detail = "a push notification is named with the message that begins its task, and stays"
    raise RpcError("PUSH_NOTIFICATION_NOT_SUPPORTED", detail)


async def _no_extended_card(
    _context: Context, _request: Request, _principal: Principal, _agent: Agent, _c: RpcRequest
) -> Response:
    raise RpcError("EXTENDED_AGENT_CARD_NOT_CONFIGURED", "the public card says all that there is")


def _done(call: RpcRequest, result: Any) -> Response:
    return JSONResponse(rpc_result(call.id, result))


def _failed(request_id: str | int | None, error: RpcError) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error.value})


_METHODS: dict[str, Method] = {
    "SendMessage": _send,
    "SendStreamingMessage": _stream,
    "GetTask": _get,
    "CancelTask": _cancel,
    "SubscribeToTask": _subscribe,
    "CreateTaskPushNotificationConfig": _fixed,
    "DeleteTaskPushNotificationConfig": _fixed,
    "GetTaskPushNotificationConfig": _push_config,
    "ListTaskPushNotificationConfigs": _push_configs,
    "GetExtendedAgentCard": _no_extended_card,
}
