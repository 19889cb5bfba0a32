"""Seed 003, row by row: streams that can be resumed, sessions, and operations that finish from outside.

tests/seeds.md lists these rows beside their endpoints; a test holds both lists to each other.
"""

import json
import re
from dataclasses import replace
from typing import Any

from baton_events.schema import parse_event
from tests.unit.baton.kit.approval_kit import run_for_an_hour
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.server.api.sessions.chatting import parts_of, sending
from tests.unit.baton.whole.seeds.conftest import OPERATIONS_KEY

KEY = {"x-api-key": OPERATIONS_KEY}


async def waiting_operation(api: Api, session: str = "s1") -> tuple[str, str]:
    job = await api.submitted(jobType="builder", taskDescription="Build it", sessionId=session)
    await api.stage.run(within_seconds=60)
    (call,) = (await api.read(job["id"]))["toolCalls"]
    return job["id"], call["operationId"]


async def complete(api: Api, operation_id: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    path = f"/api/operations/{operation_id}/complete"
    return await api.request("POST", path, "", json=body, headers=KEY if headers is None else headers)


async def after_completion(api: Api, **body: Any) -> dict[str, Any]:
    """The job once its operation is completed with this."""
    job_id, operation_id = await waiting_operation(api)
    assert (await complete(api, operation_id, body)).status_code == 200
    await run_for_an_hour(api)
    return await api.read(job_id)


def ids_of(stream: str) -> list[str]:
    return re.findall(r"^id: (.*)$", stream, re.MULTILINE)


async def test_seed_003_a_session_says_what_streams_and_leaves_the_unfinished_answer_out(api: Api) -> None:
    job_id, operation_id = await waiting_operation(api)
    session = (await api.request("GET", "/api/sessions/s1")).json()
    assert [message["role"] for message in session["messages"]] == ["user"]
    assert session["activeStream"] == {
        "jobId": job_id,
        "lastMessageId": "0-0",
        "operationId": operation_id,
        "toolName": "create_agent",
    }


async def test_seed_003_a_session_without_a_stream_has_the_whole_answer(api: Api) -> None:
    await after_completion(api, success=True, result="ready")
    session = (await api.request("GET", "/api/sessions/s1")).json()
    roles = [message["role"] for message in session["messages"]]
    assert (session["activeStream"], roles) == (None, ["user", "assistant"])


async def test_seed_003_cancelling_a_session_waits_until_its_task_has_stopped(api: Api) -> None:
    job_id, _ = await waiting_operation(api)
    answer = (await api.request("POST", "/api/sessions/s1/cancel")).json()
    assert (answer["cancelled"], answer["jobId"], answer["reason"]) == (True, job_id, None)
    assert (await api.read(job_id))["status"] == "cancelled"
    again = (await api.request("POST", "/api/sessions/s1/cancel")).json()
    assert (again["cancelled"], again["reason"]) == (False, "no_active_task")


async def test_seed_003_a_message_is_answered_with_a_stream_that_outlives_its_reader(api: Api) -> None:
    """`POST …/stream`: the first chunk is a start with the id for reconnection; the work goes on without a reader."""
    requesting = await sending(api, "chat-1", "m1", "Hello")
    requesting.cancel()
    await api.stage.run()
    (job,) = (await api.request("GET", "/api/agent-jobs?sessionId=chat-1")).json()["jobs"]
    stream = await api.request("GET", f"/api/agent-jobs/{job['id']}/stream")
    assert parts_of(stream)[0] == {"type": "start", "messageId": job["id"]}
    assert stream.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert job["status"] == "completed"


async def test_seed_003_a_stream_is_resumed_after_the_last_message_id(api: Api) -> None:
    job = await api.submitted(jobType="simple")
    await api.stage.run()
    path = f"/api/agent-jobs/{job['id']}/stream"
    whole = (await api.request("GET", f"{path}?last_message_id=0-0")).text
    ids = ids_of(whole)
    rest = (await api.request("GET", f"{path}?last_message_id={ids[4]}")).text
    assert ids_of(rest) == ids[5:]
    assert whole.endswith("data: [DONE]\n\n")


async def test_seed_003_unknown_and_foreign_streams_are_refused(api: Api) -> None:
    job_id, _ = await waiting_operation(api)
    assert_problem(await api.request("GET", "/api/agent-jobs/job_0/stream"), 404)
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}/stream", OTHER), 403)


async def test_seed_003_an_expired_stream_is_gone(api: Api) -> None:
    job = await api.submitted(jobType="simple")
    await api.stage.run()
    assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job['id']}/stream"), 410)


async def test_seed_003_a_task_is_read_by_its_id(api: Api) -> None:
    job_id, operation_id = await waiting_operation(api)
    job = await api.read(job_id)
    assert (job["status"], job["toolCalls"][0]["operationId"]) == ("waiting", operation_id)


async def test_seed_003_the_completion_webhook_is_closed_without_a_key(api: Api) -> None:
    _, operation_id = await waiting_operation(api)
    for headers in ({}, {"x-api-key": "wrong"}):
        assert_problem(await complete(api, operation_id, {"success": True}, headers), 401)
    assert_problem(await complete(api, "op_unknown", {"success": True}), 404)
    async with api_of(Stage(settings=replace(with_keys(), operations_api_key=""))) as closed:
        assert_problem(await complete(closed, operation_id, {"success": True}), 503)


async def test_seed_003_a_completion_goes_on_with_the_answer(api: Api) -> None:
    job = await after_completion(api, success=True, result={"agent": 7})
    assert (job["toolCalls"][0]["result"], job["result"]["answer"]) == ({"agent": 7}, "It is built.")


async def test_seed_003_a_failed_completion_is_given_to_the_model(api: Api) -> None:
    job = await after_completion(api, success=False, error="out of stock")
    assert job["toolCalls"][0]["error"]["message"] == "out of stock"


async def test_seed_003_a_repeated_completion_changes_nothing(api: Api) -> None:
    job_id, operation_id = await waiting_operation(api)
    answers = [await complete(api, operation_id, {"success": True, "result": value}) for value in (1, 1, 2)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["applied"] for answer in answers] == [True, True, False]
    await run_for_an_hour(api)
    assert (await api.read(job_id))["toolCalls"][0]["result"] == 1


async def test_seed_003_a_pending_operation_is_seen_after_a_reload(api: Api) -> None:
    job_id, operation_id = await waiting_operation(api)
    stored = await api.stage.reader.parts(job_id, 0)
    (found,) = [json.loads(part)["data"] for part in stored.parts if '"data-operation"' in part]
    assert (found["operationId"], found["tool"], found["status"]) == (operation_id, "create_agent", "waiting")


async def test_seed_003_an_operation_in_progress_is_not_started_twice(api: Api) -> None:
    """`OperationInProgress`: a call that comes again finds the one that waits."""
    job_id, _ = await waiting_operation(api)
    for number, (message_id, message) in enumerate(list(api.stage.queue.published)):
        if "x-event-id" in message.headers and message.headers["x-event-type"] == "agent.tool.call":
            await api.stage.deliver(parse_event(message.body.encode()), f"{message_id}-again-{number}")
    (call,) = (await api.read(job_id))["toolCalls"]
    assert (call["status"], call["attempts"]) == ("waiting", 1)


async def test_seed_003_the_status_of_an_operation_can_be_requested(api: Api) -> None:
    _, operation_id = await waiting_operation(api)
    path = f"/api/operations/{operation_id}"
    assert (await api.request("GET", path, "", headers=KEY)).json()["status"] == "waiting"
    await complete(api, operation_id, {"success": True, "result": 1})
    await run_for_an_hour(api)
    assert (await api.request("GET", path, "", headers=KEY)).json()["status"] == "completed"


async def test_seed_003_a_session_is_deleted(api: Api) -> None:
    job = await api.submitted(jobType="simple", sessionId="s2")
    await api.stage.run()
    assert (await api.request("DELETE", "/api/sessions/s2")).status_code in (200, 204)
    assert (await api.request("GET", f"/api/agent-jobs/{job['id']}")).status_code == 410
