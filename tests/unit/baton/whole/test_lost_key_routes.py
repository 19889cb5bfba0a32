"""Each route of the app, asked for work whose key is lost: one clear error with the key's name, or an answer.

The table is held to the app's list of routes. What an error looks like follows from the route: a problem of the API,
an error of the protocol, or a page.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from baton.server.app import build_app
from tests.fakes.stored import FakeRedis
from tests.unit.baton.server.api.client import ACME, ADMIN, OPERATIONS_KEY, assert_problem
from tests.unit.baton.whole.lost_key import A2A, LEGACY, Lost, a2a_message, chat_of, lost_work, rpc, run_of, stage_of
from tests.unit.baton.whole.test_sealed import K2

# A new message of a chat whose earlier ones cannot be read is accepted, and waits for the key, as each step does.
NAMED, WAITS = "named", "waits"
APPROVED = {"approved": True}
JOB, CHATS, SESSIONS = (
    "/api/agent-jobs/{job_id}",
    "/api/chat/sessions/{session_id:any}",
    "/api/sessions/{session_id:any}",
)
CHECKPOINTS, SCHEDULE = "/api/admin/agent-checkpoints", "/api/agent-schedules/{schedule_id}"
PAGE_OF_JOB, ADMINS = "/console/jobs/{job_id}", "/api/admin"
RUN = {"name": "sign", "arguments": {"task": "canary"}, "task": {}}
RESUME = [{"interruptId": "{interrupt}", "status": "resolved", "payload": APPROVED}]

# The route; the names of its address; what is sent; and what is said: the key is named, or one of these statuses.
PROBES: list[tuple[str, dict[str, str], Any, Any]] = [
    ("GET /api/agent-jobs", {}, None, 200),
    ("POST /api/agent-jobs", {}, {"jobType": "echo", "taskDescription": "new"}, 202),
    (f"GET {JOB}", {"job_id": "{ended}"}, None, 200),
    (f"GET {JOB}", {"job_id": "{ended}?steps=true"}, None, NAMED),
    (f"PATCH {JOB}", {"job_id": "{ended}"}, {"action": "retry", "from": "start"}, NAMED),
    (f"PATCH {JOB}", {"job_id": "{waiting}"}, {"action": "cancel"}, 200),
    (f"DELETE {JOB}", {"job_id": "{ended}"}, None, 204),
    ("POST /api/admin/agent-jobs/bulk", {}, {"action": "cancel", "filter": {"jobType": "sign"}}, 200),
    (f"POST {JOB}/events", {"job_id": "{waiting}"}, {"name": "said", "data": 1}, NAMED),
    (f"GET {JOB}/stream", {"job_id": "{ended}"}, None, NAMED),
    (f"GET {JOB}/results/{{call_id}}", {"job_id": "{ended}", "call_id": "{call}"}, None, NAMED),
    (f"GET {JOB}/model-messages", {"job_id": "{ended}"}, None, NAMED),
    (f"GET {JOB}/recording", {"job_id": "{ended}"}, None, NAMED),
    (f"POST {JOB}/scores", {"job_id": "{ended}"}, {"name": "n", "value": 1}, NAMED),
    (f"POST {JOB}/fork", {"job_id": "{ended}"}, {"turn": 1}, NAMED),
    (f"GET {JOB}/diff/{{other_id}}", {"job_id": "{ended}", "other_id": "{waiting}"}, None, NAMED),
    ("GET /api/agent-schedules", {}, None, 200),
    ("POST /api/agent-schedules", {}, {"jobType": "echo", "taskDescription": "x", "cron": "0 9 * * *"}, 201),
    (f"GET {SCHEDULE}", {"schedule_id": "{schedule}"}, None, 200),
    (f"PATCH {SCHEDULE}", {"schedule_id": "{schedule}"}, {"paused": True}, 200),
    (f"DELETE {SCHEDULE}", {"schedule_id": "{schedule}"}, None, 204),
    ("POST /api/events", {}, {"name": "order.paid", "data": 1}, 202),
    ("GET /api/events/{event_id}", {"event_id": "{event}"}, None, NAMED),
    (f"GET {JOB}/checkpoints", {"job_id": "{waiting}"}, None, NAMED),
    (f"GET {CHECKPOINTS}", {}, None, 200),
    (f"POST {CHECKPOINTS}/{{checkpoint_id}}", {"checkpoint_id": "{checkpoint}"}, {}, NAMED),
    (f"DELETE {CHECKPOINTS}/{{checkpoint_id}}", {"checkpoint_id": "{checkpoint}"}, None, NAMED),
    (f"POST {CHECKPOINTS}/{{checkpoint_id}}/links", {"checkpoint_id": "{checkpoint}"}, {}, NAMED),
    ("GET /api/operations/{operation_id}", {"operation_id": "{operation}"}, None, NAMED),
    (
        "POST /api/operations/{operation_id}/complete",
        {"operation_id": "{operation}"},
        {"success": True, "result": 1},
        NAMED,
    ),
    ("GET /api/chat/sessions", {}, None, 200),
    ("POST /api/chat/sessions", {}, {}, 200),
    (f"GET {CHATS}/stream", {"session_id": "c"}, None, (200, 204)),
    (f"POST {CHATS}/stream", {"session_id": "c"}, {"message": "hello"}, WAITS),
    (f"POST {CHATS}/cancel", {"session_id": "c"}, None, 200),
    (f"PATCH {CHATS}/assign-user", {"session_id": "c"}, None, 200),
    (f"GET {CHATS}", {"session_id": "c"}, None, NAMED),
    (f"DELETE {CHATS}", {"session_id": "c"}, None, 204),
    ("GET /api/chat/tasks/{task_id}", {"task_id": "{ended}"}, None, NAMED),
    ("GET /api/chat/tasks/{job_id}/stream", {"job_id": "{ended}"}, None, NAMED),
    ("POST /api/chat/operations/{operation_id}/complete", {"operation_id": "{operation}"}, {"success": True}, NAMED),
    ("GET /api/chat/schema/tool-responses", {}, None, 200),
    ("POST /api/chat", {}, chat_of("m1"), NAMED),
    ("POST /api/chat", {}, chat_of("m2"), WAITS),
    ("GET /api/chat/{session_id:any}/stream", {"session_id": "c"}, None, (200, 204)),
    ("POST /api/ag-ui/{agent}", {"agent": "sign"}, run_of("r"), NAMED),
    ("POST /api/ag-ui/{agent}", {"agent": "sign"}, run_of("r2"), NAMED),
    ("POST /api/ag-ui/{agent}", {"agent": "sign"}, run_of("r2", resume=RESUME), NAMED),
    ("POST /api/stream-tokens", {}, {"jobId": "{ended}"}, NAMED),
    ("POST /api/agent/start", {}, {"request": "hello"}, (200, 202)),
    ("GET /api/agent/updates", {}, None, 426),
    (f"DELETE {SESSIONS}/memory", {"session_id": "c"}, None, 200),
    (f"GET {SESSIONS}/stream", {"session_id": "c"}, None, WAITS),
    (f"GET {SESSIONS}/files/{{name}}", {"session_id": "c", "name": "{file}"}, None, NAMED),
    (f"POST {SESSIONS}/cancel", {"session_id": "c"}, None, 200),
    (f"GET {SESSIONS}", {"session_id": "c"}, None, NAMED),
    (f"DELETE {SESSIONS}", {"session_id": "c"}, None, 204),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("SendMessage", a2a_message("m1")), NAMED),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("SendMessage", a2a_message("m2", taskId="{task}")), NAMED),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("SendStreamingMessage", a2a_message("m1")), NAMED),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("GetTask", {"id": "{task}"}), NAMED),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("CancelTask", {"id": "{task}"}), NAMED),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("SubscribeToTask", {"id": "{task}"}), NAMED),
    ("POST /a2a/{agent}", {"agent": "sign"}, rpc("ListTaskPushNotificationConfigs", {"taskId": "{task}"}), NAMED),
    ("POST /mcp", {}, rpc("tools/list", {}), 200),
    ("POST /mcp", {}, rpc("tools/call", RUN), NAMED),
    ("POST /mcp", {}, rpc("tasks/get", {"taskId": "{mcp_task}"}), NAMED),
    ("POST /mcp", {}, rpc("tasks/result", {"taskId": "{mcp_task}"}), NAMED),
    ("POST /mcp", {}, rpc("tasks/cancel", {"taskId": "{mcp_task}"}), NAMED),
    ("GET /a2a/{agent}/.well-known/agent-card.json", {"agent": "sign"}, None, 200),
    ("GET /.well-known/agent-card.json", {}, None, 200),
    (f"GET {ADMINS}/budgets", {}, None, 200),
    (f"PUT {ADMINS}/budgets/{{key:any}}", {"key": "k"}, {"limit": 1, "per": "day"}, 200),
    (f"DELETE {ADMINS}/budgets/{{key:any}}", {"key": "k?per=day"}, None, (204, 404)),
    (f"DELETE {ADMINS}/subjects/{{subject_id:any}}", {"subject_id": "ada?tenant=acme"}, None, 200),
    (f"GET {ADMINS}/agent-worker", {}, None, 200),
    (f"POST {ADMINS}/agent-worker", {}, {}, 200),
    (f"DELETE {ADMINS}/agent-worker", {}, None, 200),
    (f"GET {ADMINS}/agents/{{agent}}/versions", {"agent": "sign"}, None, 200),
    (f"GET {ADMINS}/usage", {}, None, 200),
    (f"POST {ADMINS}/messages/{{message_id}}/replay", {"message_id": "{message}"}, None, (200, 202)),
    (f"POST {ADMINS}/messages/{{message_id}}/replay", {"message_id": "{waiting}"}, None, NAMED),
    (f"GET {ADMINS}/tools", {}, None, 200),
    (f"GET {ADMINS}/audit", {}, None, 200),
    ("GET /api/metrics", {}, None, 200),
    ("POST /test/simple", {}, {"scenario": "math"}, WAITS),
    ("GET /healthz", {}, None, 200),
    ("GET /readyz", {}, None, 200),
    ("GET /openapi.json", {}, None, 200),
    ("GET /console", {}, None, 200),
    ("GET /console/login", {}, None, (200, 303)),
    ("POST /console/login", {}, {"key": ADMIN}, 303),
    ("POST /console/{action}", {"action": "start"}, {}, 303),
    ("GET /console/jobs", {}, None, 200),
    ("GET /console/jobs/new", {}, None, 200),
    ("POST /console/jobs/new", {}, {"jobType": "echo", "taskDescription": "x"}, (200, 303)),
    ("POST /console/jobs/bulk", {}, {"action": "cancel", "type": "sign"}, (200, 303)),
    (f"GET {PAGE_OF_JOB}", {"job_id": "{ended}"}, None, NAMED),
    (f"GET {PAGE_OF_JOB}/live", {"job_id": "{ended}"}, None, NAMED),
    (f"GET {PAGE_OF_JOB}/calls/{{call_id}}", {"job_id": "{ended}", "call_id": "{call}"}, None, NAMED),
    (f"GET {PAGE_OF_JOB}/calls/{{call_id}}/result", {"job_id": "{ended}", "call_id": "{call}"}, None, NAMED),
    (f"GET {PAGE_OF_JOB}/turns/{{turn}}", {"job_id": "{ended}", "turn": "1"}, None, NAMED),
    (f"GET {PAGE_OF_JOB}/fork", {"job_id": "{ended}"}, None, NAMED),
    (f"GET {PAGE_OF_JOB}/diff/{{other_id}}", {"job_id": "{ended}", "other_id": "{waiting}"}, None, NAMED),
    (f"POST {PAGE_OF_JOB}/{{action}}", {"job_id": "{waiting}", "action": "cancel"}, {}, (303,)),
    (f"POST {PAGE_OF_JOB}/{{action}}", {"job_id": "{ended}", "action": "delete"}, {}, (303,)),
    (f"POST {PAGE_OF_JOB}/{{action}}", {"job_id": "{ended}", "action": "fork"}, {"turn": "1"}, NAMED),
    (f"POST {PAGE_OF_JOB}/{{action}}", {"job_id": "{ended}", "action": "retry"}, {"from": "start"}, NAMED),
    ("GET /console/sessions", {}, None, 200),
    ("GET /console/sessions/{session_id:any}", {"session_id": "c?tenant=acme"}, None, NAMED),
    ("POST /console/sessions/{session_id:any}/cancel", {"session_id": "c"}, {"tenant": "acme"}, 303),
    ("GET /console/approvals", {}, None, 200),
    ("GET /console/approvals/{checkpoint_id}", {"checkpoint_id": "{checkpoint}"}, None, NAMED),
    (
        "POST /console/approvals/{checkpoint_id}/{action}",
        {"checkpoint_id": "{checkpoint}", "action": "approve"},
        {},
        NAMED,
    ),
    ("GET /approve/{token}", {"token": "{token}"}, None, NAMED),
    ("POST /approve/{token}/approve", {"token": "{token}"}, {}, NAMED),
    ("POST /approve/{token}/reject", {"token": "{token}"}, {}, NAMED),
    ("GET /admin/agent-checkpoints", {}, None, (200, 303, 307)),
    ("GET /console/events/{event_id}", {"event_id": "{event}"}, None, NAMED),
    ("GET /console/messages", {}, None, 200),
    ("POST /console/messages/replay", {}, {"id": "{waiting}"}, (303, 409)),
    ("GET /console/messages/{message_id}", {"message_id": "{message}"}, None, 200),
    ("GET /console/dead-letters", {}, None, 200),
    ("POST /console/dead-letters/{action}", {"action": "retry"}, {"id": "1-1"}, 303),
    ("GET /console/schedules", {}, None, 200),
    (
        "POST /console/schedules/{schedule_id}/{action}",
        {"schedule_id": "{schedule}", "action": "set"},
        {"paused": "yes"},
        303,
    ),
    ("GET /console/audit", {}, None, 200),
    ("GET /console/agents", {}, None, 200),
    ("GET /console/agents/{agent}/versions", {"agent": "sign"}, None, 200),
    ("GET /console/budgets", {}, None, 200),
    ("POST /console/budgets/{action}", {"action": "set"}, {"key": "k"}, (200, 303, 404, 422)),
    ("GET /console/usage", {}, None, 200),
    ("GET /console/static/{version}/{name}", {"version": "1", "name": "console.css"}, None, (200, 404)),
    ("GET /console/{path:any}", {"path": "nowhere"}, None, 404),
    ("GET /chat", {}, None, 200),
    ("GET /chat/{name}", {"name": "chat.css"}, None, 200),
]


@pytest.fixture
async def lost() -> AsyncIterator[Lost]:
    async with lost_work() as made:
        yield made


def _filled(lost: Lost, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(lost, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(lost, each) for each in value]
    return value.format(**lost.names) if isinstance(value, str) and value[:1] == "{" else value


async def _asked(lost: Lost, method: str, path: str, body: Any) -> httpx.Response:
    api, is_page = lost.operator.api, path.startswith(("/console", "/approve", "/admin/", "/chat"))
    if is_page and method == "POST":
        token = {} if path.startswith("/approve") else {"csrf": await lost.operator.token()}
        return await lost.operator.http.post(path, data=token | body)
    headers = {"/a2a": A2A, "/mcp": LEGACY | {"idempotency-key": "mcp"}}.get(path[:4], {})
    headers |= {"x-api-key": OPERATIONS_KEY} if "/operations/" in path else {}
    key = ADMIN if re.search(r"/admin/|/fork|/metrics", path) else ACME
    options = {} if body is None else {"json": body}
    if is_page:
        return await lost.operator.http.get(path)
    return await api.request(method, path, key, headers=headers, **options)


def _assert_names_the_key(path: str, answer: httpx.Response) -> None:
    said = "the key 'k1' of PAYLOAD_KEYS is not there"
    if path.startswith(("/console", "/approve")):
        assert answer.status_code == 409, answer.text
        assert said.replace("'", "&#39;") in answer.text
    elif path.startswith(("/a2a", "/mcp")):
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], said in answer.json()["error"]["message"]) == ("call-1", True)
    else:
        detail = assert_problem(answer, 409)
        assert detail.startswith(f"a stored text is sealed, and {said}")
        assert detail.endswith("add it again, or delete what it has sealed")
        assert (answer.json()["code"], "retry-after" in answer.headers) == ("UNREADABLE", False)


@pytest.mark.parametrize(("route", "names", "body", "says"), PROBES)
async def test_a_route_names_the_key_or_needs_no_text(
    lost: Lost, caplog: pytest.LogCaptureFixture, route: str, names: dict[str, str], body: Any, says: Any
) -> None:
    method, _, path = route.partition(" ")
    for name, given in names.items():
        path = re.sub(rf"{{{name}(:\w+)?}}", given.format(**lost.names), path)
    with caplog.at_level(logging.INFO):
        asking = asyncio.wait_for(_asked(lost, method, path, _filled(lost, body)), 0.3 if says == WAITS else 30)
        if says == WAITS:
            with pytest.raises(TimeoutError):
                await asking
            return
        answer = await asking
    if says == NAMED:
        _assert_names_the_key(path, answer)
    else:
        assert answer.status_code in (says if isinstance(says, tuple) else (says,)), answer.text
    assert "canary" not in answer.text
    assert path.startswith("/console/messages/") or "sealed:" not in answer.text
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]


def test_each_route_of_the_app_is_asked() -> None:
    routes = [route for route in build_app(stage_of(K2, FakeRedis()).container).site.routes if isinstance(route, Route)]
    there = {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert {route for route, *_ in PROBES} == there
