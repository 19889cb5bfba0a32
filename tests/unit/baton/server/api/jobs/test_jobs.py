"""Submitting and reading jobs: bodies and status codes as CONTRACT says."""

import json
from typing import Any

import pytest

from baton_events.errors import QueueUnreachableError
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, assert_problem

CREATED = "2027-01-15T08:00:00.000Z"
USED = (
    *("inputTokens", "outputTokens", "cachedInputTokens", "modelCalls", "cachedCalls"),
    *("messages", "deliveries", "redisRequests", "redisCommands", "redisBytes", "streamAppends"),
    *("functionMs", "gbSeconds", "costUsd"),
)


async def test_an_accepted_job_is_answered_with_all_its_fields(api: Api) -> None:
    response = await api.submit(taskDescription="do it", inputData={"a": None}, priority=9, sessionId="a session")
    assert response.status_code == 202
    job = response.json()
    assert len(job.pop("agentVersion")) == 12
    assert job == {
        "id": job["id"],
        "jobType": "answers",
        "summary": "do it",
        "taskDescription": "do it",
        "inputData": {"a": None},
        "priority": 9,
        "tags": [],
        "sessionId": "a session",
        "parentJobId": None,
        "status": "pending",
        "waitingFor": "the model's turn 1",
        "result": None,
        "error": None,
        "createdAt": CREATED,
        "updatedAt": CREATED,
        "startedAt": None,
        "finishedAt": None,
        "memory": None,
        "turns": 0,
        "scores": [],
        "toolCalls": [],
        "usage": dict.fromkeys(USED, 0),
        "cost": dict.fromkeys(("queueUsd", "redisUsd", "functionsUsd", "modelUsd", "totalUsd"), 0),
    }


async def test_a_tool_call_is_shown_with_its_fields(api: Api) -> None:
    job_id = (await api.submitted(jobType="breaks"))["id"]
    await api.stage.run()
    [call] = (await api.read(job_id))["toolCalls"]
    assert call == {
        "id": call["id"],
        "tool": "broken",
        "summary": "",
        "arguments": {},
        "status": "failed",
        "attempts": 2,
        "error": {"type": "ToolError", "message": "it broke"},
        "startedAt": call["startedAt"],
        "finishedAt": call["finishedAt"],
    }
    assert call["startedAt"] < call["finishedAt"]


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        *[(body, 400, []) for body in (b"", b"\xff", b"[" * 5_000, b'{"jobType": "\\ud8')],
        (b"[]", 422, ["body"]),
        (b"{}", 422, ["jobType"]),
        (b'{"jobType": "answers", "inputData": {"x": 1e999}}', 422, ["inputData"]),
    ],
)
async def test_a_body_that_is_no_json_object_with_an_agent_is_refused(
    api: Api, body: bytes, status: int, fields: list[str]
) -> None:
    detail = assert_problem(await api.request("POST", "/api/agent-jobs", content=body), status, *fields)
    assert ("is not JSON" in detail) == (status == 400)
    assert api.stage.store.trees == {}


async def test_a_body_over_the_limit_is_too_large(api: Api) -> None:
    empty = len(json.dumps({"jobType": "answers", "taskDescription": ""}, separators=(",", ":")))
    fits = {"jobType": "answers", "taskDescription": "x" * (1_000_000 - empty)}
    body = json.dumps(fits, separators=(",", ":"))
    assert (await api.request("POST", "/api/agent-jobs", content=body.encode())).status_code == 202
    refused = await api.request("POST", "/api/agent-jobs", content=body.replace("x", "xx", 1).encode())
    assert "1000000 bytes" in assert_problem(refused, 413)


async def test_an_unknown_job_path_or_method_is_a_problem(api: Api) -> None:
    for path in ("agent-job", "agent-jobs/job_unknown", "agent-jobs/job_1.1", f"agent-jobs/{'x' * 1_000}"):
        assert_problem(await api.request("GET", f"/api/{path}"), 404)
    response = await api.request("DELETE", "/api/agent-jobs")
    assert_problem(response, 405)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("text", ["é漢🎉", 'quote " and \\', "line\nfeed", "\u202e", "\x00"])
async def test_texts_of_all_kinds_come_back(api: Api, text: str) -> None:
    job = await api.submitted(taskDescription=text, inputData={text: [text]}, sessionId=text)
    assert (job["taskDescription"], job["inputData"], job["sessionId"]) == (text, {text: [text]}, text)
    assert (await api.read(job["id"]))["inputData"] == {text: [text]}
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_a_queue_that_is_down_refuses_the_job(api: Api) -> None:
    """503, when to come again, and nothing of our inside; there is no job."""
    api.stage.queue.failing.append(QueueUnreachableError("https://queue.internal", "ConnectError"))
    response = await api.submit()
    assert assert_problem(response, 503) == "the queue does not take messages; try again"
    assert response.headers["retry-after"] == "5"
    assert (api.stage.store.trees, api.stage.admission.entries) == ({}, {})


async def test_the_same_key_and_body_are_the_same_job(api: Api) -> None:
    first = await api.submitted(jobType="adds", idempotency_key="k1")
    again = await api.submit(jobType="adds", idempotency_key=" k1 ")  # space around a header's value is none of it
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["sessionId"]) == (first["id"], first["sessionId"])
    await api.stage.run()
    late = (await api.submit(jobType="adds", idempotency_key="k1")).json()
    assert (late["status"], late["result"]) == ("completed", {"answer": "3 and 7"})
    await api.stage.run()
    assert api.stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert (await api.submitted(jobType="adds", idempotency_key="k2"))["sessionId"] != first["sessionId"]


@pytest.mark.parametrize("change", [{"taskDescription": "other"}, {"inputData": {"a": 1}}, {"tags": ["a"]}])
async def test_the_same_key_with_another_body_is_refused(api: Api, change: dict[str, Any]) -> None:
    """What is sent counts, not how it is written: the order of fields, and defaults, make no other body."""
    first = await api.submitted(idempotency_key="k1", inputData={"a": 1, "b": 2})
    response = await api.submit(idempotency_key="k1", **{"inputData": {"a": 1, "b": 2}, **change})
    assert "another body was sent under Idempotency-Key 'k1'" in assert_problem(response, 422)
    assert (await api.read(first["id"]))["taskDescription"] == ""
    same = await api.submit(idempotency_key="k1", priority=5, inputData={"b": 2, "a": 1})
    assert same.json()["id"] == first["id"]


async def test_another_key_or_another_tenants_is_another_job(api: Api) -> None:
    keys = [(ACME, "k1"), (ACME, "k2"), (ACME, "K1"), (OTHER, "k1"), (ADMIN, "k1")]
    assert len({(await api.submitted(key, idempotency_key=name))["id"] for key, name in keys}) == 5


async def test_a_submission_that_was_refused_leaves_its_key_free(api: Api) -> None:
    """Whoever corrects the body may use it again."""
    assert (await api.submit(idempotency_key="k1", priority=99)).status_code == 422
    assert (await api.submit(idempotency_key="k1", priority=9)).status_code == 202
    for length, status in ((255, 202), (256, 422)):
        assert (await api.submit(idempotency_key="k" * length)).status_code == status
