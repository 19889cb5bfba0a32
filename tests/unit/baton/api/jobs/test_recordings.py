"""`GET /api/agent-jobs/{id}/recording`."""

import json
from typing import Any

from baton import Agent, Call, Registry, ScriptedModel, tool
from tests.unit.baton.api.client import Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import Stage

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
    digests = job["transcript"][1]["asked"]
    assert [spec["name"] for spec in document["texts"][digests["tools"]]] == ["add"]
    assert document["texts"][digests["instructions"]] == ""


async def test_attempts_say_why_they_failed(api: Api) -> None:
    job = (await ended(api, jobType="breaks"))["job"]
    (call,) = job["toolCalls"]
    failure = {"type": "ToolError", "message": "it broke", "retryable": True}
    assert [attempt["failure"] for attempt in call["attempts"]] == [failure, failure]
    assert call["error"] == {"type": "ToolError", "message": "it broke"}


async def test_a_job_that_has_not_ended_has_none(api: Api) -> None:
    job_id = (await api.submitted())["id"]
    assert "has ended" in assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}/recording"), 409)
    assert_problem(await api.request("GET", "/api/agent-jobs/job_none/recording"), 404)


async def test_secrets_are_not_in_it_and_large_results_are() -> None:
    @tool(retries=0)
    async def fetch(url: str, api_key: str) -> dict[str, str]:
        """Fetch something."""
        return {"body": LARGE, "said": f"{url} with {api_key}"}

    model = ScriptedModel([[Call("fetch", {"url": "u", "api_key": "hidden-value-1"})], "done"])
    stage = Stage(settings=with_keys(), registry=Registry([Agent(name="fetches", model=model, tools=[fetch])]))
    async with api_of(stage) as api:
        document = await ended(api, jobType="fetches", inputData={"password": "hidden-value-2"})
    assert "hidden-value" not in json.dumps(document)
    assert document["job"]["toolCalls"][0]["result"]["body"] == LARGE


async def test_a_child_is_in_its_parents_recording() -> None:
    child = Agent(name="child", model=ScriptedModel(["small"]))
    boss = Agent(name="boss", model=ScriptedModel([[Call("child", {"task": "t"})], "big"]), tools=[child])
    async with api_of(Stage(settings=with_keys(), registry=Registry([boss, child]))) as api:
        (call,) = (await ended(api, jobType="boss"))["job"]["toolCalls"]
        assert (call["child"]["jobType"], call["child"]["result"]) == ("child", {"answer": "small"})
        refused = await api.request("GET", f"/api/agent-jobs/{call['child']['id']}/recording")
        assert "is in the recording of" in assert_problem(refused, 409)
