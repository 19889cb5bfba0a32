"""What a job leaves: its recording, and results and streams that are larger than one answer may be."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Registry, ScriptedModel, sleep, tool
from baton.server.api.jobs.recording import requested_texts
from baton.worker.runtime.job_view import INLINE_RESULTS_BYTES, references
from tests.unit.baton.kit.approval_kit import Kit, decide, requested
from tests.unit.baton.server.api.client import Api, api_with, assert_problem
from tests.unit.baton.server.api.following import stream_on_lambda

LARGE = "x" * 200_000


async def ended(api: Api, **fields: Any) -> dict[str, Any]:
    job_id = (await api.submitted(**fields))["id"]
    await api.stage.run()
    response = await api.request("GET", f"/api/agent-jobs/{job_id}/recording")
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def test_it_has_everything_that_was_answered(api: Api) -> None:
    document = await ended(api, jobType="adds", inputData={"n": 1})
    job = document["job"]
    assert (document["v"], job["status"], job["result"]) == (1, "completed", {"answer": "3 and 7"})
    assert (job["inputData"], job["limits"]["turns"]) == ({"n": 1}, 20)
    assert [entry["role"] for entry in job["transcript"]] == ["user", "model", "model"]
    assert [(call["arguments"], call["result"]) for call in job["toolCalls"]] == [
        ({"a": 1, "b": 2}, 3),
        ({"a": 3, "b": 4}, 7),
    ]
    assert [attempt["outcome"] for attempt in job["modelCalls"]] == ["asks for 2 tool calls", "answers"]
    digests = job["transcript"][1]["requestDigests"]
    assert [spec["name"] for spec in document["texts"][digests["tools"]]] == ["add"]
    assert document["texts"][digests["instructions"]] == ""
    (failed,) = (await ended(api, jobType="breaks"))["job"]["toolCalls"]
    failure = {"type": "ToolError", "message": "it broke"}
    assert [attempt["failure"] for attempt in failed["attempts"]] == [failure | {"retryable": True}] * 2
    assert failed["error"] == failure
    fields = {"id", "turn", "position", "tool", "arguments", "status", "attempts"}
    assert failed.keys() == fields | {"error"}
    assert all(call.keys() == fields | {"result"} for call in job["toolCalls"])
    assert {"createdAtMs", "startedAtMs", "finishedAtMs"} <= job.keys()
    assert job["createdAtMs"] <= job["startedAtMs"] <= job["finishedAtMs"]
    open_id = (await api.submitted())["id"]
    assert "has ended" in assert_problem(await api.request("GET", f"/api/agent-jobs/{open_id}/recording"), 409)
    assert_problem(await api.request("GET", "/api/agent-jobs/job_none/recording"), 404)


async def test_secrets_are_not_in_it_and_large_results_are() -> None:
    @tool(retries=0)
    async def fetch(url: str, api_key: str) -> dict[str, str]:
        return {"body": LARGE, "said": f"{url} with {api_key}"}

    model = ScriptedModel([[Call("fetch", {"url": "u", "api_key": "hidden-value-1"})], "done"])
    async with api_with(Registry([Agent(name="fetches", model=model, tools=[fetch])])) as api:
        document = await ended(api, jobType="fetches", inputData={"password": "hidden-value-2"})
    assert "hidden-value" not in json.dumps(document)
    assert document["job"]["toolCalls"][0]["result"]["body"] == LARGE


async def test_a_child_is_in_its_parents_recording() -> None:
    child = Agent(name="child", model=ScriptedModel(["small"]))
    boss = Agent(name="boss", model=ScriptedModel([[Call("child", {"task": "t"})], "big"]), tools=[child])
    async with api_with(Registry([boss, child])) as api:
        (call,) = (await ended(api, jobType="boss"))["job"]["toolCalls"]
        assert (call["child"]["jobType"], call["child"]["result"]) == ("child", {"answer": "small"})
        refused = await api.request("GET", f"/api/agent-jobs/{call['child']['id']}/recording")
        assert "is in the recording of" in assert_problem(refused, 409)
        published = len(api.stage.queue.published)
        removed = await api.request("DELETE", f"/api/agent-jobs/{call['child']['id']}")
        assert assert_problem(removed, 409).endswith(": delete that one")
        assert len(api.stage.queue.published) == published


async def test_what_a_call_waits_for_is_in_it() -> None:
    model = ScriptedModel([[Call("sleep", {"seconds": 60})], "done"])
    async with api_with(Registry([Agent("sleeps", model, tools=[sleep])])) as api:
        job_id = (await api.submitted(jobType="sleeps"))["id"]
        await api.stage.run(within_seconds=100)
        job = (await api.request("GET", f"/api/agent-jobs/{job_id}/recording")).json()["job"]
    (call,) = job["toolCalls"]
    assert call["wait"]["untilMs"] == 1_800_000_060_000


async def test_a_decision_is_in_it_with_who_made_it() -> None:
    async with api_with(Kit().registry()) as api:
        job_id, checkpoint = await requested(api, "pays")
        await decide(api, checkpoint, "DELETE", reason="too dear")
        await api.stage.run()
        job = (await api.request("GET", f"/api/agent-jobs/{job_id}/recording")).json()["job"]
    _, question = job["toolCalls"]
    assert question["error"].items() >= {"type": "rejected", "message": "too dear", "by": "operators"}.items()


async def test_a_job_that_was_retried_has_none(api: Api) -> None:
    job_id = (await ended(api, jobType="breaks"))["job"]["id"]
    body = {"action": "retry", "from": "start"}
    assert (await api.request("PATCH", f"/api/agent-jobs/{job_id}", json=body)).status_code == 200
    await api.stage.run()
    refused = await api.request("GET", f"/api/agent-jobs/{job_id}/recording")
    assert assert_problem(refused, 409) == f"job '{job_id}' was retried: only a job that ran once has a recording"


SIZE_BYTES, MANY = 900_000, 8
LAMBDA_BYTES = 6_000_000


@tool
async def fetch(number: int) -> str:
    """Fetch something large."""
    return str(number) * SIZE_BYTES


@pytest.fixture
async def large() -> AsyncIterator[Api]:
    model = ScriptedModel([[Call("fetch", {"number": number}) for number in range(MANY)], "done"])
    registry = Registry([Agent(name="large", model=model, tools=[fetch]), Agent("answers", ScriptedModel(["done"]))])
    async with api_with(registry) as made:
        yield made


async def test_a_job_with_eight_large_results_can_be_read_and_each_of_them(large: Api) -> None:
    """Its answer was 7.2 MB, more than Lambda lets through: nobody could read it any more."""
    job_id = (await large.submitted(jobType="large"))["id"]
    await large.stage.run()
    answer = await large.request("GET", f"/api/agent-jobs/{job_id}")
    assert len(answer.content) <= INLINE_RESULTS_BYTES + 100_000
    calls = answer.json()["toolCalls"]
    assert [call["status"] for call in calls] == ["completed"] * MANY
    assert sum("result" in call for call in calls) == INLINE_RESULTS_BYTES // SIZE_BYTES
    for number, call in enumerate(calls):
        assert ("result" in call) != ("resultRef" in call)
        if "resultRef" in call:
            assert call["resultRef"]["sizeBytes"] == SIZE_BYTES + 2
            result = {"jobId": job_id, "callId": call["id"], "result": str(number) * SIZE_BYTES}
            assert (await large.request("GET", call["resultRef"]["url"])).json() == result
    assert_problem(await large.request("GET", f"/api/agent-jobs/{job_id}/results/{calls[0]['id']}x"), 404)
    assert_problem(await large.request("GET", f"/api/agent-jobs/job_unknown/results/{calls[0]['id']}"), 404)


def test_the_smallest_results_stand_in_the_answer() -> None:
    results = {"a": "x" * 50, "b": 1, "c": "x" * 20, "d": None}
    assert references("job_1", results, 100) == {}
    assert list(references("job_1", results, 60)) == ["a"]
    assert references("job 1", results, 5) == {
        "a": {"url": "/api/agent-jobs/job%201/results/a", "sizeBytes": 52, "mediaType": "application/json"},
        "c": {"url": "/api/agent-jobs/job%201/results/c", "sizeBytes": 22, "mediaType": "application/json"},
    }


async def test_where_an_answer_is_handed_over_whole_a_long_stream_comes_in_pages(large: Api) -> None:
    """Each small enough for the host; together they are the stream, to its end."""
    job_id = (await large.submitted())["id"]
    tree = large.stage.store.tree(job_id)
    parts = tuple(json.dumps({"type": "text-delta", "id": "t", "delta": f"{n}" + "ü" * 60_000}) for n in range(40))
    large.stage.store.write(job_id, replace(tree, parts={job_id: parts}))
    await large.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})
    found, last_id, answers = list[str](), "0-0", 0
    while "data: [DONE]" not in found:
        answer = await stream_on_lambda(large, job_id, last_id)
        assert len(answer.content) < LAMBDA_BYTES / 2
        blocks = [block for block in answer.text.split("\n\n") if block.startswith(("id: ", "data: "))]
        found += blocks
        answers += 1
        assert answers < 100
        last_id = next(block for block in reversed([*found]) if block.startswith("id: ")).split("\n")[0][4:]
    assert [block.partition("data: ")[2] for block in found[: len(parts)]] == list(parts)
    assert answers > 1


def test_texts_of_a_planner_are_those_of_its_first_and_its_last_turn() -> None:
    @tool
    def look(city: str) -> str:
        return city

    registry = Registry([Agent("plans", model=ScriptedModel(["done"]), mode="plan", tools=[look], max_rounds=3)])
    texts = [one for one in requested_texts(registry, "plans").values() if isinstance(one, str)]
    assert len(texts) == 2
    assert all("plan" in one for one in texts)
    assert requested_texts(registry, "gone") == {}
