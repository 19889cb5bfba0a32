"""What does not fit a request is refused with the field that is at fault, and nothing is done."""

from typing import Any

import pytest

from tests.unit.baton.server.api.client import ADMIN, Api, assert_problem
from tests.unit.baton.server.api.sessions.chatting import chat_body, user_message

HELLO = {"id": "m1", "role": "user", "content": "hello"}
GOOD: dict[str, dict[str, Any]] = {
    "POST /api/agent-jobs": {"jobType": "answers"},
    "PATCH /api/agent-jobs/JOB": {"action": "cancel"},
    "POST /api/agent-jobs/JOB/scores": {"name": "x", "value": 1},
    "POST /api/agent/start": {"request": "x"},
    "POST /api/admin/agent-jobs/bulk": {"action": "cancel", "filter": {}},
    "POST /api/chat": chat_body("chat-1", "m1", "hello"),
    "POST /api/ag-ui/answers": {"threadId": "t", "runId": "r1", "messages": [HELLO], "tools": [], "context": []},
}
# For each request, what is wrong in an otherwise good body, and the field that is blamed.
WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    "POST /api/agent-jobs": [
        ({"jobType": ""}, "jobType"),
        ({"jobType": "j" * 65}, "jobType"),
        ({"jobType": "unknown"}, "jobType"),
        ({"taskDescription": None}, "taskDescription"),
        ({"inputData": []}, "inputData"),
        ({"priority": -1}, "priority"),
        ({"priority": 10}, "priority"),
        ({"priority": "5"}, "priority"),
        ({"priority": True}, "priority"),
        ({"sessionId": ""}, "sessionId"),
        ({"sessionId": "s" * 201}, "sessionId"),
        ({"delaySeconds": -1}, "delaySeconds"),
        ({"delaySeconds": 7 * 86_400 + 1}, "delaySeconds"),
        ({"startAt": "soon"}, "startAt"),
        ({"startAt": "2027-01-15T09:00:00"}, "startAt"),
        ({"startAt": "2027-02-15T09:00:00Z"}, "startAt"),
        ({"startAt": "2027-01-15T09:00:00Z", "delaySeconds": 5}, "startAt"),
        ({"job_type": "answers"}, "job_type"),
        ({"tags": ["a", "b", "a"]}, "tags"),
        ({"tags": ["a", " "]}, "tags.1"),
        ({"tags": ["line\nbreak"]}, "tags.0"),
        ({"tags": ["x" * 65]}, "tags.0"),
        ({"tags": [str(number) for number in range(11)]}, "tags"),
    ],
    "PATCH /api/agent-jobs/JOB": [
        ({"action": "explode"}, "action"),
        ({"why": "x"}, "why"),
        ({"from": "start"}, "body"),
        ({"action": "retry", "from": "middle"}, "from"),
    ],
    "POST /api/agent-jobs/JOB/scores": [
        ({"name": "a b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"value": "good"}, "value"),
        ({"value": 1_000_001}, "value"),
        ({"comment": "x" * 2001}, "comment"),
    ],
    "POST /api/agent/start": [
        ({"request": ""}, "request"),
        ({"agent": "nobody"}, "agent"),
        ({"conversationId": ""}, "conversationId"),
        ({"more": 1}, "more"),
    ],
    "POST /api/admin/agent-jobs/bulk": [
        ({"action": "delete"}, "action"),
        ({"filter": None}, "filter"),
        ({"filter": {"status": "done"}}, "filter.status"),
        ({"filter": {"limit": 3}}, "filter.limit"),
        ({"filter": {"jobType": "nobody"}}, "jobType"),
        ({"dryRun": 1}, "dryRun"),
        ({"limit": 1000}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"from": "start"}, "body"),
    ],
    "POST /api/chat": [
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"messages": []}, "messages"),
        ({"messages": [{"id": "m", "role": "user"}]}, "messages.0.parts"),
        ({"messages": [{"role": "user", "parts": [{"type": "text", "text": "hi"}]}]}, "messages.0.id"),
        ({"messages": [user_message("m", "hi"), {"id": "a", "role": "assistant", "parts": []}]}, "messages.1.role"),
        ({"messages": [user_message("m", " ")]}, "messages.0.parts"),
        ({"messages": [{"id": "m", "role": "user", "parts": [{"type": "image"}]}]}, "messages.0.parts.0"),
        ({"messages": [{"id": "m", "role": "user", "parts": ["hi"]}]}, "messages.0.parts.0"),
        ({"trigger": "resume-stream"}, "trigger"),
        ({"agent": "nobody"}, "agent"),
    ],
    "POST /api/ag-ui/answers": [
        ({"threadId": ""}, "threadId"),
        ({"runId": "x" * 201}, "runId"),
        ({"messages": []}, "messages"),
        ({"messages": [{"id": "a", "role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "messages.0.id"),
        ({"messages": [HELLO | {"content": " "}]}, "messages.0.content"),
        ({"messages": [HELLO | {"content": [{"type": "binary"}]}]}, "messages.0.content.0"),
        ({"tools": [{"name": "pick_color", "description": ""}]}, "tools.0.name"),
        ({"resume": [{"interruptId": "op_x", "status": "resolved", "payload": "yes"}]}, "resume.0.payload"),
        ({"resume": [{"interruptId": "op_x", "status": "cancelled"}]}, "resume.0.interruptId"),
    ],
}
QUERIES = {
    "/api/agent-jobs": [
        ("status=done", ["status"]),
        ("status=", ["status"]),
        ("jobType=nobody", ["jobType"]),
        ("createdAfter=2026-01-01T00:00:00", ["createdAfter"]),
        ("limit=101", ["limit"]),
        ("cursor=x", ["cursor"]),
        ("sort=asc", ["sort"]),
        ("sessionId=", ["sessionId"]),
        ("parentJobId=a/b", ["parentJobId"]),
        ("limit=0&status=x", ["limit", "status"]),
        ("limit=1&limit=2", ["limit"]),
        ("q=", ["q"]),
        ("q=%22%22", ["q"]),
        (f"q={'x' * 201}", ["q"]),
    ],
    "/api/admin/audit": [("limit=101", ["limit"]), ("cursor=x", ["cursor"]), ("who=me", ["who"])],
    "/api/admin/agent-checkpoints": [
        ("status=done", ["status"]),
        ("limit=101", ["limit"]),
        *[(f"cursor={text}", ["cursor"]) for text in ("x", ".op_a-b", "a.b-1-1-c", ".x-y-z-1")],
    ],
    "/api/sessions/chat-1": [("limit=0&cursor=x", ["limit", "cursor"]), ("before=1", ["before"])],
    "/api/admin/agents/answers/versions": [("limit=0", ["limit"]), ("left=v9", ["left"])],
}


@pytest.mark.parametrize("requested", WRONG)
async def test_a_wrong_field_is_named(api: Api, requested: str) -> None:
    job_id = (await api.submitted(delaySeconds=600))["id"]
    before, published = await api.read(job_id), len(api.stage.queue.published)
    method, path = requested.replace("JOB", job_id).split()
    for changes, field in WRONG[requested]:
        assert_problem(await api.request(method, path, ADMIN, json=GOOD[requested] | changes), 422, field)
        assert (await api.read(job_id), len(api.stage.queue.published)) == (before, published), changes


@pytest.mark.parametrize("path", QUERIES)
async def test_a_query_that_is_not_understood_is_no_other_query(api: Api, path: str) -> None:
    for query, fields in QUERIES[path]:
        assert_problem(await api.request("GET", f"{path}?{query}", ADMIN), 422, *fields)
