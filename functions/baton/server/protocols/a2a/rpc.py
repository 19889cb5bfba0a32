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
from baton.server.api.auth import Keys, Principal
from baton.server.api.jobs.approval_list import SeenJob
from baton.server.api.jobs.job import JobsApi
from baton.server.api.problem import api_error, limited_body
from baton.server.api.stream import StreamReader, Streams
from baton.server.api.stream_form import position_in
from baton.server.api.stream_token import Permit, check_capacity
from baton.server.protocols.a2a.body import (
    METHOD_NOT_FOUND,
    PushParams,
    RpcError,
    RpcRequest,
    SendParams,
    TaskParams,
    params_as,
    read_call,
    rpc_error,
)
from baton.server.protocols.a2a.card import exposed_agent
from baton.server.protocols.a2a.tasks import TaskForm, Tasks, rpc_result, view_of
from baton.store.records.jobs import StoredParts
from baton.worker.container import Container
from baton_events.errors import BatonError

# The answer to a message waits this long for the task's end or for its question; few hosts allow a longer request.
ANSWER_SECONDS = 25.0

Method = Callable[[Request, Principal, Agent, RpcRequest], Awaitable[Response]]


class A2aApi:
    """The one endpoint."""

    def __init__(self, container: Container, keys: Keys, jobs: JobsApi) -> None:
        self._container, self._keys = container, keys
        self._tasks, self._streams = Tasks(container, jobs), Streams(container, keys)
        self._methods: dict[str, Method] = {
            "SendMessage": self._send,
            "SendStreamingMessage": self._stream,
            "GetTask": self._get,
            "CancelTask": self._cancel,
            "SubscribeToTask": self._subscribe,
            "CreateTaskPushNotificationConfig": self._fixed,
            "DeleteTaskPushNotificationConfig": self._fixed,
            "GetTaskPushNotificationConfig": self._push_config,
            "ListTaskPushNotificationConfigs": self._push_configs,
            "GetExtendedAgentCard": self._no_extended_card,
        }

    async def call(self, request: Request) -> Response:
        """Answer 200 with the method's result, as JSON or as a stream of events, or with its error."""
        principal, request_id = await self._keys.authenticate(request), None
        agent = exposed_agent(self._container, request.path_params["agent"])
        try:
            call = read_call(request, await limited_body(request))
            request_id = call.id
            method = self._method(call.method)
            return await method(request, principal, agent, call)
        except RpcError as error:
            return _failed(request_id, error)
        except BatonError as error:
            return _failed(request_id, rpc_error(api_error(error)))

    def _method(self, name: str) -> Method:
        if name not in self._methods:
            listed = ", ".join(self._methods)
            raise RpcError(METHOD_NOT_FOUND, f"there is no method {name[:80]!r}; there are: {listed}")
        return self._methods[name]

    async def _send(self, request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        params = params_as(SendParams, call.params)
        check_capacity(self._container, principal)
        found = await self._tasks.send(principal, agent, params)
        if not params.configuration.return_immediately and not found.snapshot.job.ended and not found.asked:
            await self._settled(request, principal, found)
            found = await self._tasks.look_up(principal, agent, found.snapshot.job.id)
        return _done(call, {"task": view_of(found, params.configuration.history_length)})

    async def _settled(self, request: Request, principal: Principal, found: SeenJob) -> None:
        """Wait until the task ends, or requires input, or the time is up: as a reader of its stream does."""
        permit, job = Permit(self._container, self._keys, request, principal), found.snapshot.job
        form = TaskForm(None, {}, found.decided, None, found.now_ms)
        reader = StreamReader(self._container, permit, job.id, 0, form)
        with suppress(TimeoutError), reader.reading():
            async with asyncio.timeout(ANSWER_SECONDS):
                async for _ in reader.events(await self._container.ports.reader.parts(job.id, 0)):
                    pass

    async def _stream(self, request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        params = params_as(SendParams, call.params)
        check_capacity(self._container, principal)  # before there is a job
        found = await self._tasks.send(principal, agent, params)
        return await self._follow(request, principal, call, found)

    async def _subscribe(self, request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        found = await self._tasks.look_up(principal, agent, params_as(TaskParams, call.params).id)
        if found.snapshot.job.ended:
            job = found.snapshot.job
            raise RpcError("UNSUPPORTED_OPERATION", f"task {job.id!r} has ended: it is {job.status}; use GetTask")
        return await self._follow(request, principal, call, found)

    async def _follow(self, request: Request, principal: Principal, call: RpcRequest, found: SeenJob) -> Response:
        """Stream the task from its beginning, or from behind the event that the reader names."""
        seen, job = position_in(request), found.snapshot.job
        stored = await self._container.ports.reader.parts(job.id, 0)
        first = stored if stored.job is not None else StoredParts(job)
        form = TaskForm(call.id, view_of(found), found.decided, seen, found.now_ms)
        return self._streams.respond(request, principal, first, form=form)

    async def _get(self, _request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        params = params_as(TaskParams, call.params)
        return _done(call, view_of(await self._tasks.look_up(principal, agent, params.id), params.history_length))

    async def _cancel(self, _request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        found = await self._tasks.cancel(principal, agent, params_as(TaskParams, call.params).id)
        return _done(call, view_of(found))

    async def _push_configs(self, _request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        return _done(call, {"configs": await self._configs(principal, agent, call), "nextPageToken": ""})

    async def _push_config(self, _request: Request, principal: Principal, agent: Agent, call: RpcRequest) -> Response:
        configs = await self._configs(principal, agent, call)
        if not configs:
            raise RpcError("TASK_NOT_FOUND", "the task has no push notification")
        return _done(call, configs[0])

    async def _configs(self, principal: Principal, agent: Agent, call: RpcRequest) -> list[dict[str, Any]]:
        found = await self._tasks.look_up(principal, agent, params_as(PushParams, call.params).task_id)
        job = found.snapshot.job
        return [{"id": job.id, "taskId": job.id, "url": job.notifies}] if job.notifies else []

    async def _fixed(self, _request: Request, _principal: Principal, _agent: Agent, _call: RpcRequest) -> Response:
        detail = "a push notification is named with the message that begins its task, and stays"
        raise RpcError("PUSH_NOTIFICATION_NOT_SUPPORTED", detail)

    async def _no_extended_card(
        self, _request: Request, _principal: Principal, _agent: Agent, _c: RpcRequest
    ) -> Response:
        raise RpcError("EXTENDED_AGENT_CARD_NOT_CONFIGURED", "the public card says all that there is")


def _done(call: RpcRequest, result: Any) -> Response:
    return JSONResponse(rpc_result(call.id, result))


def _failed(request_id: str | int | None, error: RpcError) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error.value})
