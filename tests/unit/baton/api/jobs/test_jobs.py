"""Submitting and reading jobs: bodies and status codes as CONTRACT says."""

import json
from typing import Any

import pytest

from baton_events.errors import PublishError, QueueUnreachableError
from tests.unit.baton.api.client import ADMIN, OTHER, Api, assert_problem

CREATED = "2027-01-15T08:00:00.000Z"
WEEK_SECONDS = 7 * 86_400
USED = (
    *("inputTokens", "outputTokens", "cachedInputTokens", "modelCalls", "cachedCalls"),
    *("messages", "deliveries", "redisRequests", "redisCommands", "redisBytes", "streamAppends"),
    *("functionMs", "gbSeconds", "costUsd"),
)


async def test_an_accepted_job_is_answered_with_all_its_fields(api: Api) -> None:
    """202; exactly the names of CONTRACT."""
    response = await api.submit(taskDescription="do it", inputData={"a": None}, priority=9, sessionId="a session")
    assert response.status_code == 202
    job = response.json()
    assert len(job.pop("agentVersion")) == 12
    assert job == {
        "id": job["id"],
        "jobType": "answers",
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
    """One that failed has its error in place of a result."""
    job_id = (await api.submitted(jobType="breaks"))["id"]
    await api.stage.run()
    [call] = (await api.read(job_id))["toolCalls"]
    assert call == {
        "id": call["id"],
        "tool": "broken",
        "arguments": {},
        "status": "failed",
        "attempts": 2,
        "error": {"type": "ToolError", "message": "it broke"},
        "startedAt": call["startedAt"],
        "finishedAt": call["finishedAt"],
    }
    assert call["startedAt"] < call["finishedAt"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"jobType": None}, "jobType"),
        ({"jobType": ""}, "jobType"),
        ({"jobType": 5}, "jobType"),
        ({"jobType": "j" * 65}, "jobType"),
        ({"jobType": "unknown"}, "jobType"),
        ({"taskDescription": 5}, "taskDescription"),
        ({"taskDescription": None}, "taskDescription"),
        ({"inputData": []}, "inputData"),
        ({"inputData": "x"}, "inputData"),
        ({"priority": -1}, "priority"),
        ({"priority": 10}, "priority"),
        ({"priority": 5.5}, "priority"),
        ({"priority": "5"}, "priority"),
        ({"priority": True}, "priority"),
        ({"sessionId": ""}, "sessionId"),
        ({"sessionId": "s" * 201}, "sessionId"),
        ({"delaySeconds": -1}, "delaySeconds"),
        ({"delaySeconds": WEEK_SECONDS + 1}, "delaySeconds"),
        ({"startAt": "soon"}, "startAt"),
        ({"startAt": "2027-01-15T09:00:00"}, "startAt"),
        ({"startAt": "2027-02-15T09:00:00Z"}, "startAt"),
        ({"startAt": "2027-01-15T09:00:00Z", "delaySeconds": 5}, "startAt"),
        ({"jobTyp": "answers"}, "jobTyp"),
        ({"job_type": "answers"}, "job_type"),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named(api: Api, changes: dict[str, Any], field: str) -> None:
    """422; no message was published."""
    body = {"jobType": "answers", **changes}
    if changes.get("jobType", "") is None:
        del body["jobType"]
    response = await api.request("POST", "/api/agent-jobs", json=body)
    assert_problem(response, 422, field)
    assert api.stage.queue.published == []


@pytest.mark.parametrize("body", [b"", b"not json", b"{", b"\xff", b'{"jobType": "\\ud800"}', b"[" * 5_000])
async def test_a_body_that_is_not_json_is_a_bad_request(api: Api, body: bytes) -> None:
    """400."""
    assert "not JSON" in assert_problem(await api.request("POST", "/api/agent-jobs", content=body), 400)


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
async def test_json_that_is_no_object_is_not_valid(api: Api, body: object) -> None:
    """422 that blames the body."""
    response = await api.request("POST", "/api/agent-jobs", content=json.dumps(body).encode())
    assert_problem(response, 422, "body")


async def test_a_body_over_the_limit_is_too_large(api: Api) -> None:
    """1 MB; one just below it is accepted."""
    empty = len(json.dumps({"jobType": "answers", "taskDescription": ""}, separators=(",", ":")))
    fits = {"jobType": "answers", "taskDescription": "x" * (1_000_000 - empty)}
    body = json.dumps(fits, separators=(",", ":"))
    assert (await api.request("POST", "/api/agent-jobs", content=body.encode())).status_code == 202
    refused = await api.request("POST", "/api/agent-jobs", content=body.replace("x", "xx", 1).encode())
    assert "1000000 bytes" in assert_problem(refused, 413)


async def test_a_job_is_its_tenants_and_the_operators(api: Api) -> None:
    """403 for another tenant: that it exists is no secret, what is in it is."""
    job_id = (await api.submitted(taskDescription="secret words"))["id"]
    assert (await api.read(job_id, ADMIN))["taskDescription"] == "secret words"
    response = await api.request("GET", f"/api/agent-jobs/{job_id}", OTHER)
    assert "belongs to another tenant" in assert_problem(response, 403)
    assert "secret words" not in response.text


@pytest.mark.parametrize("job_id", ["job_unknown", "job_1.1", "a%2Fb", "%00", "x" * 1_000, "%F0%9F%8E%89", "{job}"])
async def test_an_unknown_job_is_not_found(api: Api, job_id: str) -> None:
    """404, whatever the id looks like."""
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 404)


async def test_a_path_or_method_that_there_is_not_is_a_problem_too(api: Api) -> None:
    """404 and 405, in the same form."""
    assert_problem(await api.request("GET", "/api/agent-job"), 404)
    response = await api.request("DELETE", "/api/agent-jobs")
    assert_problem(response, 405)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("error", [QueueUnreachableError("https://queue.internal", "ConnectError"), PublishError("no")])
async def test_a_queue_that_is_down_refuses_the_job(api: Api, error: PublishError) -> None:
    """503, when to come again, and nothing of our inside; there is no job."""
    api.stage.queue.failing.append(error)
    response = await api.submit()
    assert assert_problem(response, 503) == "the queue does not take messages; try again"
    assert response.headers["retry-after"] == "5"
    assert api.stage.store.trees == {}


async def test_a_defect_of_ours_reveals_nothing_of_our_inside(api: Api) -> None:
    """500, and the process goes on."""
    api.stage.store.trees["job_x"] = None  # type: ignore[assignment]  # damaged on purpose
    response = await api.request("GET", "/api/agent-jobs/job_x")
    assert assert_problem(response, 500) == "internal error"
    assert (await api.submit()).status_code == 202


@pytest.mark.parametrize("text", ["é漢🎉", 'quote " and \\', "line\nfeed", "</script>", "\u202e", "\x00"])
async def test_texts_of_all_kinds_come_back(api: Api, text: str) -> None:
    """Task, data and session."""
    job = await api.submitted(taskDescription=text, inputData={text: [text]}, sessionId=text)
    assert (job["taskDescription"], job["inputData"], job["sessionId"]) == (text, {text: [text]}, text)
    assert (await api.read(job["id"]))["inputData"] == {text: [text]}
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"
