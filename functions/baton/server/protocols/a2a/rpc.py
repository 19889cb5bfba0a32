"""`POST /a2a/{agent}`: A2A 1.0 over JSON-RPC, for agents that are exposed by it; and their cards.

Invariant: an error of the protocol is an answer with status 200, as JSON-RPC has it; keys, rates and an absent store
are HTTP errors, as everywhere. A closed connection changes nothing. A card names no agent that is not exposed, and
nothing of how an agent works.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import agent_takes
from baton.sdk.agents.version import version_of
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import SeenJob
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, api_error, limited_body
from baton.server.api.stream import StreamReader, streamed
from baton.server.api.stream_form import position_in
from baton.server.api.stream_token import Permit, check_capacity
from baton.server.protocols.a2a.body import (
    METHOD_NOT_FOUND,
    VERSION,
    PushParams,
    RpcError,
    RpcRequest,
    SendConfiguration,
    SendParams,
    TaskParams,
    check_version,
    params_as,
    read_call,
    rpc_error,
)
from baton.server.protocols.a2a.tasks import (
    FIXED_PUSH,
    TaskForm,
    cancel_task,
    look_up,
    rpc_result,
    send_message,
    view_of,
)
from baton.store.records.jobs import StoredParts
from baton_events.errors import BatonError

CARD_PATH = "/.well-known/agent-card.json"
# The answer to a message waits this long for the task's end or for its question; few hosts allow a longer request.
ANSWER_SECONDS = 25.0
_TRIED_TYPES = ("image/png", "application/pdf")

Part = dict[str, Any]


def _exposed(context: Context) -> dict[str, Agent]:
    return {agent.name: agent for agent in context.container.registry.agents if "a2a" in agent.expose}


def _agent_of(context: Context, request: Request) -> Agent:
    exposed, name = _exposed(context), request.path_params["agent"]
    if name not in exposed:
        listed = ", ".join(sorted(exposed)) or "none"
        raise ApiError(404, f"no agent {name!r} is exposed by A2A; there are: {listed}")
    return exposed[name]


async def default_card(context: Context, request: Request) -> Response:
    """Answer the root address with DEFAULT_AGENT's card if it is exposed, else the first exposed agent's."""
    exposed = _exposed(context)
    if not exposed:
        raise ApiError(404, "no agent is exposed by A2A here: write Agent(expose='a2a')")
    return _card(
        context, request, exposed.get(context.container.settings.default_agent) or next(iter(exposed.values()))
    )


async def show_card(context: Context, request: Request) -> Response:
    """Answer `GET /a2a/{agent}/.well-known/agent-card.json` with the agent's card."""
    return _card(context, request, _agent_of(context, request))


def _card(context: Context, request: Request, agent: Agent) -> Response:
    """Say what an agent is, where it is reached, and how a caller authenticates."""
    settings, registry = context.container.settings, context.container.registry
    base = (settings.worker_base_url or str(request.base_url)).rstrip("/")
    description = agent.description or f"The agent {agent.name}."
    files = [kind for kind in _TRIED_TYPES if agent_takes(registry, agent, kind)]
    interface = {"url": f"{base}/a2a/{quote(agent.name)}", "protocolBinding": "JSONRPC", "protocolVersion": VERSION}
    push = bool(settings.callback_key)
    return JSONResponse(
        {
            "name": agent.name,
            "description": description,
            "version": version_of(registry, agent),
            "supportedInterfaces": [interface],
            "capabilities": {"streaming": True, "pushNotifications": push, "extendedAgentCard": False},
            "securitySchemes": {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}},
            "securityRequirements": [{"schemes": {"bearer": {"list": []}}}],
            "defaultInputModes": ["text/plain", "application/json", *files],
            "defaultOutputModes": ["application/json" if agent.output is not None else "text/plain"],
            "skills": [{"id": agent.name, "name": agent.name, "description": description, "tags": [agent.name]}],
        }
    )


async def call_agent(context: Context, request: Request) -> Response:
    """Answer 200 with the method's result, as JSON or as a stream of events, or with its error."""
    principal, request_id = await context.keys.authenticate(request), None
    agent = _agent_of(context, request)
    try:
        call = read_call(await limited_body(request))
        request_id = call.id
        check_version(request)
        result = await _Call(context, request, principal, agent, call).result()
        return result if isinstance(result, Response) else JSONResponse(rpc_result(request_id, result))
    except RpcError as error:
        refused = error
    except BatonError as error:
        refused = rpc_error(api_error(error))
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": refused.value})


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of an agent's method, and its caller."""

    context: Context
    request: Request
    principal: Principal
    agent: Agent
    call: RpcRequest

    async def result(self) -> Part | Response:
        name = self.call.method
        if name not in _METHODS:
            raise RpcError(METHOD_NOT_FOUND, f"there is no method {name[:80]!r}; there are: {', '.join(_METHODS)}")
        return await _METHODS[name](self)

    async def send(self) -> Part:
        configuration, found = await self._sent()
        if not configuration.return_immediately and not found.snapshot.job.ended and not found.asked:
            await self._settled(found)
            found = await self._look_up(found.snapshot.job.id)
        return {"task": view_of(found, configuration.history_length)}

    async def stream(self) -> Response:
        return await self._follow((await self._sent())[1])

    async def get(self) -> Part:
        params = params_as(TaskParams, self.call.params)
        return view_of(await self._look_up(params.id), params.history_length)

    async def cancel(self) -> Part:
        task_id = params_as(TaskParams, self.call.params).id
        return view_of(await cancel_task(self.context, self.principal, self.agent, task_id))

    async def subscribe(self) -> Response:
        found = await self._look_up(params_as(TaskParams, self.call.params).id)
        job = found.snapshot.job
        if job.ended:
            raise RpcError("UNSUPPORTED_OPERATION", f"task {job.id!r} has ended: it is {job.status}; use GetTask")
        return await self._follow(found)

    async def push_configs(self) -> Part:
        job = (await self._look_up(params_as(PushParams, self.call.params).task_id)).snapshot.job
        configs = [{"id": job.id, "taskId": job.id, "url": job.notifies}] if job.notifies else []
        return {"configs": configs, "nextPageToken": ""}

    async def push_config(self) -> Part:
        configs: list[Part] = (await self.push_configs())["configs"]
        if not configs:
            raise RpcError("TASK_NOT_FOUND", "the task has no push notification")
        return configs[0]

    async def change_push(self) -> NoReturn:
        raise RpcError("PUSH_NOTIFICATION_NOT_SUPPORTED", FIXED_PUSH)

    async def extended_card(self) -> NoReturn:
        raise RpcError("EXTENDED_AGENT_CARD_NOT_CONFIGURED", "the public card says all that there is")

    async def _look_up(self, task_id: str) -> SeenJob:
        return await look_up(self.context, self.principal, self.agent, task_id)

    async def _sent(self) -> tuple[SendConfiguration, SeenJob]:
        params = params_as(SendParams, self.call.params)
        check_capacity(self.context.container, self.principal)  # before there is a job
        return params.configuration, await send_message(self.context, self.principal, self.agent, params)

    async def _settled(self, found: SeenJob) -> None:
        """Wait until the task ends, or requires input, or the time is up: as a reader of its stream does."""
        container, job = self.context.container, found.snapshot.job
        permit = Permit(container, self.context.keys, self.request, self.principal)
        reader = StreamReader(container, permit, job.id, 0, TaskForm(None, {}, found.decided, None, found.now_ms))
        with suppress(TimeoutError), reader.reading():
            async with asyncio.timeout(ANSWER_SECONDS):
                async for _ in reader.events(await container.ports.reader.parts(job.id, 0)):
                    pass

    async def _follow(self, found: SeenJob) -> Response:
        """Stream the task from its beginning, or from behind the event that the reader names."""
        seen, job = position_in(self.request), found.snapshot.job
        stored = await self.context.container.ports.reader.parts(job.id, 0)
        first = stored if stored.job is not None else StoredParts(job)
        form = TaskForm(self.call.id, view_of(found), found.decided, seen, found.now_ms)
        return streamed(self.context, self.request, self.principal, first, form=form)


_METHODS: Mapping[str, Callable[[_Call], Awaitable[Part | Response]]] = {
    "SendMessage": _Call.send,
    "SendStreamingMessage": _Call.stream,
    "GetTask": _Call.get,
    "CancelTask": _Call.cancel,
    "SubscribeToTask": _Call.subscribe,
    "CreateTaskPushNotificationConfig": _Call.change_push,
    "DeleteTaskPushNotificationConfig": _Call.change_push,
    "GetTaskPushNotificationConfig": _Call.push_config,
    "ListTaskPushNotificationConfigs": _Call.push_configs,
    "GetExtendedAgentCard": _Call.extended_card,
}
