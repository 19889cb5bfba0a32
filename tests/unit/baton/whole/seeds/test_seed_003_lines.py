"""Seed 003's chat API, line by line: its routes, bodies, statuses and codes, as docs/contract.md lists them."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from baton.server.protocols.chat_aliases import ToolResponse
from baton.settings.settings import read_settings
from tests.unit.baton.kit.approval_kit import run_for_an_hour
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.server.api.sessions.chatting import delivering, parts_of, sending
from tests.unit.baton.whole.seeds.conftest import OPERATIONS_KEY, registry
from tests.unit.baton.whole.seeds.test_seed_003 import waiting_operation

SESSIONS, UNKNOWN = "/api/chat/sessions", "job_0"


async def created(api: Api) -> str:
    session_id: str = (await api.request("POST", SESSIONS)).json()["id"]
    return session_id


async def refused(api: Api, status: int, code: str, *request: Any, **options: Any) -> None:
    response = await api.request(*request, **options)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def waiting(api: Api) -> tuple[str, str, str]:
    session_id = await created(api)
    return session_id, *await waiting_operation(api, session_id)


async def create_list_and_delete(api: Api) -> None:
    """`CreateSessionResponse`; lists by cursor; 404 for what is not there (any more)."""
    made = (await api.request("POST", SESSIONS)).json()
    assert (set(made), made["user_id"]) == ({"id", "user_id", "created_at"}, "acme")
    ids = {made["id"], await created(api), await created(api)}
    first = (await api.request("GET", f"{SESSIONS}?limit=2")).json()
    rest = (await api.request("GET", f"{SESSIONS}?limit=2&cursor={first['cursor']}")).json()
    assert ({one["id"] for one in (*first["sessions"], *rest["sessions"])}, "cursor" in rest) == (ids, False)
    assert (await api.request("GET", SESSIONS, OTHER)).json()["sessions"] == []
    shown = (await api.request("GET", f"{SESSIONS}/{made['id']}")).json()
    assert (shown["messages"], shown["created_at"]) == ([], made["created_at"])
    assert (await api.request("DELETE", f"{SESSIONS}/{made['id']}")).status_code == 204
    for method, path in (("GET", made["id"]), ("DELETE", made["id"]), ("PATCH", "nobody/assign-user")):
        await refused(api, 404, "SESSION_NOT_FOUND", method, f"{SESSIONS}/{path}")


async def active_stream(api: Api) -> None:
    """`ActiveStreamInfo`, all five fields."""
    session_id, task_id, operation_id = await waiting(api)
    session = (await api.request("GET", f"{SESSIONS}/{session_id}")).json()
    assert [message["role"] for message in session["messages"]] == ["user"]
    assert session["active_stream"] == {
        "turn_id": task_id,
        "task_id": task_id,
        "last_message_id": "0-0",
        "operation_id": operation_id,
        "tool_name": "create_agent",
    }


async def task_of_an_operation(api: Api) -> None:
    session_id = await created(api)
    requesting = await sending(api, session_id, "m1", "Build it", agent="builder")
    await api.stage.run(within_seconds=60)
    await requesting
    active = (await api.request("GET", f"{SESSIONS}/{session_id}")).json()["active_stream"]
    assert (active["tool_name"], active["last_message_id"]) == ("create_agent", "0-0")
    task = (await api.request("GET", f"/api/chat/tasks/{active['task_id']}")).json()
    assert (task["status"], task["operation_id"]) == ("running", active["operation_id"])
    asking = await sending(api, session_id, "m2", "And now?", agent="builder")
    busy = (await api.request("GET", f"{SESSIONS}/{session_id}")).json()["active_stream"]
    assert (busy["tool_name"], busy["task_id"] == active["task_id"]) == ("chat", False)
    await api.stage.run(within_seconds=60)
    await asking
    answer = await completed(api, active["operation_id"], {"success": True, "result": "ready"})
    assert answer.json() == {"status": "ok", "task_id": active["task_id"]}
    await api.stage.run(within_seconds=60)
    assert (await api.request("GET", f"/api/chat/tasks/{active['task_id']}")).json()["status"] == "completed"


async def cancel(api: Api) -> None:
    """`CancelTaskResponse`."""
    session_id, task_id, _ = await waiting(api)
    for answer in ((True, task_id, None), (False, None, "no_active_task")):
        found = (await api.request("POST", f"{SESSIONS}/{session_id}/cancel")).json()
        assert (found["cancelled"], found["task_id"], found["reason"]) == answer


async def session_detail(api: Api) -> None:
    """`SessionDetailResponse`: messages of an ended task, in the words of models' APIs."""
    session_id, _, operation_id = await waiting(api)
    await completed(api, operation_id, {"success": True, "result": {"agent": 7}})
    await run_for_an_hour(api)
    session = (await api.request("GET", f"{SESSIONS}/{session_id}")).json()
    asked, called, result = session["messages"]
    assert (asked["content"], called["role"], called["content"]) == ("Build it", "assistant", "It is built.")
    assert called["tool_calls"][0]["function"] == {"name": "create_agent", "arguments": "{}"}
    assert (result["role"], json.loads(result["content"])) == ("tool", {"agent": 7})
    assert (session["user_id"], session["active_stream"]) == ("acme", None)


async def stream_post(api: Api) -> None:
    """`POST …/stream`: `message`, `is_user_message`, `context`; 204 where nothing streams."""
    session_id = await created(api)
    path, body = f"{SESSIONS}/{session_id}/stream", {"message": "Hello", "context": {"url": "https://example.com"}}
    assert (await api.request("GET", path)).status_code == 204
    for by_user, role in ((True, "user"), (False, "assistant")):
        sending = api.request("POST", path, json=body | {"is_user_message": by_user})
        response = await delivering(api, sending)
        task_id = parts_of(response)[0]["messageId"]
        assert (await api.read(task_id))["inputData"] == body["context"]
        session = (await api.request("GET", f"{SESSIONS}/{session_id}")).json()
        assert [said["role"] for said in session["messages"] if said["content"] == "Hello"][-1] == role
    await refused(api, 422, "INVALID", "POST", path, json={"message": " "})
    await refused(api, 404, "SESSION_NOT_FOUND", "POST", f"{SESSIONS}/nobody/stream", json=body)


async def assign_user(api: Api) -> None:
    """`session_assign_user`: a session is its key's from the beginning."""
    path = f"{SESSIONS}/{await created(api)}/assign-user"
    assert (await api.request("PATCH", path)).json() == {"status": "ok"}


async def task_stream(api: Api) -> None:
    """`GET /tasks/{id}/stream?last_message_id=`: resumed; 410, 404, 403 with their codes."""
    job = await api.submitted(jobType="simple")
    path = f"/api/chat/tasks/{job['id']}"
    await refused(api, 403, "ACCESS_DENIED", "GET", f"{path}/stream", OTHER)
    await api.stage.run()
    whole = parts_of(await api.request("GET", f"{path}/stream?last_message_id=0-0"))
    rest = parts_of(await api.request("GET", f"{path}/stream?last_message_id=1706540123456-2"))
    assert rest == whole[2:]
    await api.request("DELETE", f"/api/agent-jobs/{job['id']}")
    await refused(api, 410, "TASK_EXPIRED", "GET", f"{path}/stream")
    await refused(api, 404, "TASK_NOT_FOUND", "GET", f"/api/chat/tasks/{UNKNOWN}/stream")


async def task_status(api: Api) -> None:
    """`GET /tasks/{id}`: six fields; 404 also for another tenant's."""
    session_id, task_id, operation_id = await waiting(api)
    task = (await api.request("GET", f"/api/chat/tasks/{task_id}")).json()
    assert task.pop("created_at")
    assert task == {
        "task_id": task_id,
        "session_id": session_id,
        "status": "running",
        "tool_name": "create_agent",
        "operation_id": operation_id,
    }
    await refused(api, 404, "TASK_NOT_FOUND", "GET", f"/api/chat/tasks/{task_id}", OTHER)


async def completed(api: Api, operation_id: str, body: Any, key: str = OPERATIONS_KEY) -> Any:
    path = f"/api/chat/operations/{operation_id}/complete"
    return await api.request("POST", path, "", json=body, headers={"x-api-key": key})


async def complete_operation(api: Api) -> None:
    """`OperationCompleteRequest`; 401, 404, 503; the task goes on."""
    _, task_id, operation_id = await waiting(api)
    body = {"success": False, "error": "sold out", "result": {"of": "no interest"}}
    assert (await completed(api, operation_id, body, "wrong")).status_code == 401
    assert (await completed(api, "op_unknown", body)).json()["code"] == "OPERATION_NOT_FOUND"
    for odd in (5, True, [1], 1.5):
        assert_problem(await completed(api, operation_id, {"success": True, "result": odd}), 422, "result")
    answer = await completed(api, operation_id, body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "task_id": task_id})
    await run_for_an_hour(api)
    assert (await api.request("GET", f"/api/chat/tasks/{task_id}")).json()["status"] == "completed"


async def internal_key(_: Api) -> None:
    """`CHAT_INTERNAL_API_KEY` alone opens the webhook; without any key it is 503."""
    for key, status in (("internal", 404), ("", 503)):
        named = read_settings({"CHAT_INTERNAL_API_KEY": key}).operations_api_key
        settings = replace(with_keys(), operations_api_key=named)
        async with api_of(Stage(settings=settings, registry=registry())) as api:
            assert (await completed(api, "op_unknown", {"success": True}, "internal")).status_code == status


async def tool_responses(api: Api) -> None:
    """`ToolResponseUnion`, as a schema."""
    found = (await api.request("GET", "/api/chat/schema/tool-responses")).json()
    assert found == TypeAdapter[Any](ToolResponse).json_schema()
    assert {one["properties"]["type"]["const"] for one in found["$defs"].values()} > {"operation_started"}


LINES: dict[int, Callable[[Api], Awaitable[None]]] = {
    72: create_list_and_delete,
    73: active_stream,
    81: cancel,
    92: session_detail,
    178: stream_post,
    324: assign_user,
    328: task_stream,
    433: task_status,
    465: complete_operation,
    514: tool_responses,
    1194: internal_key,
    2240: task_of_an_operation,
}


@pytest.mark.parametrize("line", LINES)
async def test_seed_003_each_line_of_the_chat_api(api: Api, line: int) -> None:
    await LINES[line](api)


async def test_seed_003_sessions_that_are_used_later(api: Api) -> None:
    """`created_at` stays; a page of sessions that were used at one time shows each once; messages have a cursor."""
    made = (await api.request("POST", SESSIONS)).json()
    assert re.fullmatch(r"session_\d+_\w+", made["id"])
    others = [await created(api) for _ in range(2)]
    api.stage.clock.ms += 5_000
    for text in ("hello", "and?"):
        sent = api.request("POST", f"{SESSIONS}/{made['id']}/stream", json={"message": text})
        assert (await delivering(api, sent)).status_code == 200
        api.stage.clock.ms += 5_000
    first = (await api.request("GET", f"{SESSIONS}?limit=1")).json()
    row = first["sessions"][0]
    assert (row["id"], row["created_at"], row["title"]) == (made["id"], made["created_at"], None)
    assert row["updated_at"] > row["created_at"]
    seen, cursor = list[str](), first["cursor"]
    while cursor:
        page = (await api.request("GET", f"{SESSIONS}?limit=1&cursor={cursor}")).json()
        seen += [one["id"] for one in page["sessions"]]
        cursor = page.get("cursor", "")
    assert sorted(seen) == sorted(others)
    shown = (await api.request("GET", f"{SESSIONS}/{made['id']}?limit=1")).json()
    assert (shown["created_at"], shown["updated_at"]) == (made["created_at"], row["updated_at"])
    rest = (await api.request("GET", f"{SESSIONS}/{made['id']}?limit=1&cursor={shown['cursor']}")).json()
    assert [one["messages"][0]["content"] for one in (shown, rest)] == ["and?", "hello"]


@pytest.mark.parametrize("changed", [{"context": {"page": 2}}, {"context": None}, {"is_user_message": False}])
async def test_a_key_is_of_one_message_with_all_that_it_has(api: Api, changed: dict[str, Any]) -> None:
    """Keys as long as they may be differ to their last character, and a repeat has the same context and sender."""
    path, body = f"{SESSIONS}/{await created(api)}/stream", {"message": "Hello", "context": {"page": 1}}

    async def task_of(key: str) -> str:
        headers = {"idempotency-key": key}
        answer = await delivering(api, api.request("POST", path, json=body, headers=headers))
        task_id: str = parts_of(answer)[0]["messageId"]
        return task_id

    key = "k" * 254
    tasks = [await task_of(each) for each in (f"{key}a", f"{key}b", f"{key}a")]
    assert tasks[0] != tasks[1]
    assert tasks[0] == tasks[2]
    other = await api.request("POST", path, json=body | changed, headers={"idempotency-key": f"{key}a"})
    assert_problem(other, 422, "messages.0.id")
