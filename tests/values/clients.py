"""What clients and other systems send, drawn by chance: each body is taken or refused, and every job can be read.

Invariant: no answer is a 5xx, no request raises, and whatever was taken is listed, read, and run to its end.
"""

import asyncio
import gzip
import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic_core import from_json

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from baton.server.api.route import ApiRoute
from baton.server.app import build_app
from baton.server.openapi import described
from baton.server.protocols.mcp.body import RpcMessage
from baton.settings.limits import FAULTS
from baton.testing import asgi
from baton.worker.runtime.job_view import job_view
from baton_events.ids import canonical_json
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN
from tests.unit.baton.server.test_routes import OPERATIONS_KEY, TABLE, WITH_OPERATIONS
from tests.values.drawn_json import BySchema
from tests.values.odd import Drawn
from tests.values.steps import HALVES

_CALLS_OF_A_JOB = 40
_REQUESTS_OF_A_STAGE = 40
_MOST_BYTES, _SELDOM = 5_000_000, 0.01
_LISTED = {"/api/agent-jobs", "/api/agent-schedules", "/api/admin/agent-checkpoints", "/api/chat/sessions"}
_LISTED |= {"/api/admin/usage", "/api/admin/audit", "/api/admin/tools"}
# What a schema cannot say: names that this app knows.
_KNOWN = {
    "jobType": ('"answers"', '"asks"'),
    "agent": ('"answers"', '"asks"'),
    "arguments": ('{"euros": 2}', '{"euros": 1e400}', '{"euros": NaN}'),
    "result": ('"done"', '{"a": [1, 2]}'),
    "name": ('"arrived"', '"answers"'),
    "cron": ('"0 9 * * *"',),
    "timeZone": ('"UTC"',),
    "role": ('"user"', '"ROLE_USER"'),
    "method": ('"tools/call"', '"tools/list"', '"SendMessage"', '"GetTask"', '"initialize"', '"tasks/get"'),
    "messages": tuple(
        f'[{{"id": "m{number}", "role": "user", "content": "x", "parts": [{{"type": "text", "text": "x"}}, {part}]}}]'
        for number, part in enumerate(
            (
                '{"type": "text", "text": "half \\ud800"}',
                '{"type": "file", "mediaType": "text/plain", "filename": "a\\u0000/../\\udcff", "url": "data:,x"}',
                '{"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,!"}',
                '{"type": "data-x", "data": 1e400}',
                '{"type": "tool-pay", "toolCallId": "job_1-1-0", "state": "output-available", "output": NaN}',
                '{"type": 7}',
            )
        )
    ),
    "params": (
        '{"name": "answers", "arguments": {"task": "x"}}',
        '{"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]}}',
    ),
}


class OddOutcomes:
    """Calls that wait for an outcome from outside, in jobs of many; a job is run to its end once all have one."""

    def __init__(self) -> None:
        @tool
        async def order() -> Pending:
            """Order something."""
            return Pending(timeout_seconds=3_600)

        calls = ScriptedModel([[Call("order")] * _CALLS_OF_A_JOB, "done"])
        self.registry, self.waiting = Registry([Agent("a", calls, tools=[order])]), list[str]()
        self.stage: Stage | None = None

    async def next(self) -> str:
        if not self.waiting:
            await self.read_again()
            self.stage = Stage(registry=self.registry, settings=WITH_OPERATIONS)
            self.app = build_app(self.stage.container)
            await self.stage.submit("a")
            await self.stage.run(within_seconds=1)
            self.waiting = [call.operation_id for call in await self.stage.calls()]
            assert len(self.waiting) == _CALLS_OF_A_JOB
        return self.waiting.pop()

    async def read_again(self) -> None:
        """Assert that the job ends, and is read, whatever its calls were told."""
        if self.stage is not None:
            await self.stage.run()
            snapshot = await self.stage.snapshot()
            assert snapshot.job.ended
            text = canonical_json(job_view(snapshot, self.stage.clock.ms))
            assert from_json(text.encode()) == json.loads(text)

    async def sent(self, operation_id: str, body: bytes) -> None:
        """Send an outcome by the webhook."""
        path, headers = f"/api/operations/{operation_id}/complete", {"x-api-key": OPERATIONS_KEY}
        answer = await asgi.request(self.app, path, headers, body)
        assert answer.status in {200, 400, 422}, answer

    async def streamed(self, operation_id: str, **fields: str) -> None:
        """Add an outcome to the stream, as another system does, and read it."""
        assert self.stage is not None
        redis, name = self.stage.redis, self.stage.container.settings.operations_stream_name
        texts = [text for pair in {"operation_id": operation_id, **fields}.items() for text in pair]
        redis.run("XADD", name, "*", *(text.encode(errors="backslashreplace").decode() for text in texts))
        await self.stage.container.operations.outcomes.poll()


_odd_outcomes = cache(OddOutcomes)


async def an_outcome(drawn: Drawn) -> None:
    """Somebody outside sends it as the outcome of a call that waits."""
    outcomes, success = _odd_outcomes(), drawn.random.choice(("true", "false", drawn.json()))
    field = drawn.random.choice(("result", "error", drawn.text()))
    operation_id, value = await outcomes.next(), drawn.json()
    if drawn.random.random() < 0.5:
        body = f'{{"success": {success}, {json.dumps(field)}: {value}}}'
        await outcomes.sent(operation_id, body.encode(errors=drawn.random.choice(HALVES)))
    else:
        await outcomes.streamed(operation_id, success=success, **{field or "result": value})


class OddRequests:
    """One app after the other, each for some requests; then its jobs run to their ends, and are listed and read."""

    def __init__(self) -> None:
        @tool(requires_approval=True)
        async def pay(euros: float = 1) -> str:
            """Pay."""
            return f"paid {euros}"

        @tool
        async def order() -> Pending:
            """Order something."""
            return Pending(timeout_seconds=3_600)

        answers, asks = ScriptedModel(["done"]), ScriptedModel([[Call("pay"), Call("order")], "done"])
        self.registry = Registry(
            [
                Agent("answers", answers, tools=[pay, order], expose=("a2a", "mcp")),
                Agent("asks", asks, tools=[pay, order], expose=("a2a", "mcp")),
            ]
        )
        self.left = 0
        self.stage: Stage | None = None

    async def send(self, route: ApiRoute, body: bytes, coding: str = "identity") -> None:
        """Send a request about a job that waits for a person, until somebody decides."""
        if self.stage is None or self.left == 0:
            await self.read_again()
            self.left = _REQUESTS_OF_A_STAGE
            self.stage = Stage(registry=self.registry, settings=WITH_OPERATIONS)
            self.app = build_app(self.stage.container)
            await self.stage.submit("asks")
            await self.stage.run(within_seconds=1)
            [question] = (await self._read("/api/admin/agent-checkpoints", "admin"))["checkpoints"]
            [operation_id] = [call.operation_id for call in await self.stage.calls() if call.operation_id]
            self.ids = {"agent": "answers", "checkpoint_id": question["id"], "operation_id": operation_id}
        self.left -= 1
        headers = {"x-api-key": OPERATIONS_KEY, "authorization": _bearer(route.access), "a2a-version": "1.0"}
        headers |= {
            "content-encoding": coding,
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        path = re.sub(r"\{([a-z_]+)[a-z:]*\}", lambda found: self.ids.get(found[1], "job_1"), route.path)
        asking = asyncio.create_task(asgi.request(self.app, path, headers, body, route.method))
        for _ in range(3):  # a stream ends with its turn
            await asyncio.wait({asking}, timeout=0.02)
            await self.stage.run(within_seconds=1)
        if not asking.done():  # it waits for a person: the client hangs up
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            return
        answer, asked = asking.result(), (route.method, path, body[:300])
        assert answer.status < 500, (asked, answer)
        if coding != "identity" or (route is not _RPC and len(body) > route.body_limit_bytes):
            assert answer.status in {413, 415}, (asked, answer)
        elif answer.status == 422:
            assert len(json.loads(answer.body).get("errors", ())) <= FAULTS, asked

    async def read_again(self) -> None:
        """Run what was taken, then assert that each list and each job can be read."""
        if self.stage is None:
            return
        await self.stage.run(within_seconds=86_400)
        for route in _LISTS:
            found = await self._read(route.path, route.access)
            if route.path == "/api/agent-jobs":
                for job in found["jobs"]:
                    await self._read(f"{route.path}/{job['id']}")

    async def _read(self, path: str, access: str = "client") -> Any:
        answer = await asgi.request(self.app, path, {"authorization": _bearer(access)}, b"", "GET")
        assert answer.status == 200, (path, answer)
        return from_json(answer.body)


def _bearer(access: str) -> str:
    return f"Bearer {ADMIN if access == 'admin' else ACME}"


_LISTS = [route for route in TABLE if route.method == "GET" and route.path in _LISTED]
_odd_requests = cache(OddRequests)
_RPC = replace(TABLE[0], method="POST", path="/a2a/{agent}", access="client")  # of an app with such agents
BODIES = tuple(
    (route, BySchema(body.model_json_schema(), _KNOWN))
    for route in (*TABLE, _RPC)
    if (body := RpcMessage if route is _RPC else described(route).body) is not None
)


async def a_body(drawn: Drawn) -> None:
    """A client sends it to any route that takes a body."""
    (route, schema), chance = drawn.random.choice(BODIES), drawn.random.random()
    body, coding = schema.text(drawn).encode(errors=drawn.random.choice(HALVES)), "identity"
    if drawn.random.random() < 10 * _SELDOM:
        encoding = drawn.random.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32-be", "latin-1"))
        body = body.decode(errors="replace").encode(encoding, "replace")
    if chance < _SELDOM:
        body, coding = gzip.compress(body), drawn.random.choice(("gzip", "deflate", "br"))
    elif chance < 2 * _SELDOM and route.body_limit_bytes < _MOST_BYTES and route is not _RPC:
        body = b" " * route.body_limit_bytes + body
    await _odd_requests().send(route, body, coding)
