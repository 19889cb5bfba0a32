"""Two processes over one store: the first has sealed work of each kind, and the second lacks its key."""

import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from baton import Agent, Call, Event, HandlerContext, Pending, Registry, ScriptedModel, ToolContext, on, tool
from baton.queue.ports import QueueSchedule
from baton.store.redis.in_process.data import Version
from baton_events.messages import Outgoing
from tests.fakes.queue import FakeQueue
from tests.fakes.randomness import FakeRandomness
from tests.fakes.stored import FakeRedis, FakeStore
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, OPERATIONS_KEY, Api, with_keys
from tests.unit.baton.server.api.sessions.chatting import delivering, user_message
from tests.unit.baton.server.console.operator import Operator, operator_of
from tests.unit.baton.whole.test_sealed import K1, K2

JOBS = "/api/agent-jobs"
FILE = base64.b64encode(b"a canary in a file").decode()


@tool
async def echo(text: str) -> str:
    return text


@tool(requires_approval=True)
async def sign(text: str) -> str:
    return text


@tool
async def wait(ctx: ToolContext, text: str) -> Pending:
    """Wait for an outcome from outside."""
    return Pending(timeout_seconds=3_600)


@on("order.paid")
async def book(event: Event[Any], ctx: HandlerContext) -> str:
    """Book an order."""
    return "canary"


class Reading(ScriptedModel):
    takes_files = ("text/plain",)


def stage_of(keys: str, redis: FakeRedis, queue: FakeQueue | None = None) -> Stage:
    """A process that has these keys alone."""
    redis.payload_keys = keys
    agents = [
        Agent(
            name=each.name,
            description="Does it.",
            model=Reading([[Call(each.name, {"text": "canary"})], "done"]),
            tools=[each],
            expose={"a2a", "mcp"},
        )
        for each in (echo, sign, wait)
    ]
    settings = with_keys(
        payload_keys=keys, approval_links=True, operations_api_key=OPERATIONS_KEY, enable_test_endpoint=True
    )
    return Stage(settings=settings, registry=Registry(agents, handlers=[book]), store=FakeStore(redis), queue=queue)


class Lost(NamedTuple):
    """What the first process has left, by the names that addresses have of it, and the second one's operator."""

    operator: Operator
    names: Mapping[str, str]


def a2a_message(message_id: str, **fields: Any) -> dict[str, Any]:
    parts = [{"text": "canary"}]
    return {"message": {"messageId": message_id, "role": "ROLE_USER", "parts": parts, **fields}}


def rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": "call-1", "method": method, "params": params}


def run_of(run: str, *, resume: list[Any] | None = None) -> dict[str, Any]:
    message = {"id": "m1", "role": "user", "content": "canary"}
    made: dict[str, Any] = {"threadId": "t", "runId": run, "messages": [message], "tools": [], "context": []}
    return made | ({"resume": resume} if resume else {})


def chat_of(message_id: str, **fields: Any) -> dict[str, Any]:
    message = user_message(message_id, "canary")
    message["parts"].append({"type": "file", "mediaType": "text/plain", "url": f"data:text/plain;base64,{FILE}"})
    return {"id": "c", "messages": [message], "trigger": "submit-message", "agent": "echo", **fields}


A2A, LEGACY = {"a2a-version": "1.0"}, {"mcp-protocol-version": "2025-11-25", "accept": "application/json"}


class Left(NamedTuple):
    """All that the first process has left."""

    data: Version
    published: list[tuple[str, Outgoing]]
    schedules: dict[str, QueueSchedule]
    now_ms: int
    names: Mapping[str, str]


_LEFT = list[Left]()


async def _left() -> Left:
    """Let the first process work, once for all tests."""
    if not _LEFT:
        async with operator_of(stage_of(K1, FakeRedis())) as before:
            names, stage = await _left_by(before.api), before.stage
        _LEFT.append(
            Left(stage.redis.data.version(), stage.queue.published, stage.schedules.known, stage.clock.ms, names)
        )
    return _LEFT[0]


@asynccontextmanager
async def lost_work() -> AsyncIterator[Lost]:
    left, redis, queue = await _left(), FakeRedis(), FakeQueue()
    redis.data.go_back(left.data)
    redis.clock.ms, queue.published = left.now_ms, [*left.published]
    async with operator_of(stage_of(K2, redis, queue)) as operator:
        randomness = operator.stage.ports.randomness
        assert isinstance(randomness, FakeRandomness)
        randomness.count = 1_000  # the other process has counted so far
        operator.stage.schedules.known = dict(left.schedules)
        yield Lost(operator, left.names)


async def _answered(api: Api, path: str, body: Any, **headers: str) -> Any:
    request = api.request("POST", path, json=body, headers=headers)
    answer = await delivering(api, request, within_seconds=5)
    assert answer.status_code in {200, 201, 202}, answer.text
    return answer


async def _left_by(api: Api) -> dict[str, str]:
    """Leave ended and waiting work of each door; return the names of it."""
    ended = await api.submitted(jobType="echo", taskDescription="canary", sessionId="s", subjectId="ada")
    waiting = await api.submitted(jobType="sign", taskDescription="canary")
    outside = await api.submitted(jobType="wait", taskDescription="canary")
    await api.stage.run(within_seconds=5)
    [call] = (await api.read(ended["id"]))["toolCalls"]
    [asked] = (await api.request("GET", f"{JOBS}/{waiting['id']}/checkpoints")).json()["checkpoints"]
    [open_call] = (await api.read(outside["id"]))["toolCalls"]
    link = await api.request("POST", f"/api/admin/agent-checkpoints/{asked['id']}/links", ADMIN, json={})
    message_id, _ = api.stage.queue.published[0]
    return {
        "ended": ended["id"],
        "waiting": waiting["id"],
        "call": call["id"],
        "checkpoint": asked["id"],
        "operation": open_call["operationId"],
        "token": link.json()["url"].rpartition("/")[2],
        "message": message_id,
        **await _left_by_protocols(api),
    }


async def _left_by_protocols(api: Api) -> dict[str, str]:
    task = (await _answered(api, "/a2a/sign", rpc("SendMessage", a2a_message("m1")), **A2A)).json()["result"]["task"]
    tool_call = {"name": "sign", "arguments": {"task": "canary"}, "task": {}}
    made = await _answered(api, "/mcp", rpc("tools/call", tool_call), **LEGACY, **{"idempotency-key": "mcp"})
    stream = await _answered(api, "/api/ag-ui/sign", run_of("r"))
    await _answered(api, "/api/chat", chat_of("m1"))
    kept = await _answered(api, "/api/events", {"name": "order.paid", "data": "canary"})
    clocked = {"jobType": "echo", "taskDescription": "canary", "cron": "0 9 * * *"}
    schedule = await _answered(api, "/api/agent-schedules", clocked)
    await api.stage.run(within_seconds=5)
    chat = (await api.request("GET", "/api/sessions/c")).json()["messages"]
    [file] = [part for message in chat for part in message["parts"] if part["type"] == "file"]
    return {
        "task": task["id"],
        "mcp_task": made.json()["result"]["task"]["taskId"],
        "interrupt": re.findall(r'"id":"(op_[^"]+)"', stream.text)[0],
        "event": kept.json()["id"],
        "schedule": schedule.json()["id"],
        "file": file["url"].rpartition("/")[2].partition("?")[0],
    }
