"""`POST /api/agent-jobs/{id}/fork` and `GET /api/agent-jobs/{id}/diff/{other}`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic_ai import Agent as ForeignAgent

from baton import Agent, Call, Limits, Registry, ScriptedModel, Step, result_of, tool
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelAnswer, ModelRequest, ToolMessage, UserMessage
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.pydantic_ai.documented_agents import add
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, api_of, assert_problem, with_keys


@dataclass
class Curious:
    """Asks for prices of what the task and the instructions name, a turn each, then answers with what it was told."""

    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    name: str = "curious"
    reads_history: bool = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        task = next(message for message in request.messages if isinstance(message, UserMessage)).text
        words = f"{task} {request.instructions}".split()
        told = [message.content for message in request.messages if isinstance(message, ToolMessage)]
        if len(told) < len(words):
            return ModelAnswer("", (Call("price", {"of": words[len(told)]}),), 10, 5, 0.001)
        return ModelAnswer(", ".join(map(str, told)), input_tokens=20, output_tokens=5, cost_usd=0.002)


@dataclass
class Shop:
    api: Api
    model: Curious
    runs: list[str]

    async def ended(self, text: str = "pears plums", **fields: Any) -> dict[str, Any]:
        job_id = (await self.api.submitted(**{"jobType": "buyer", "taskDescription": text, **fields}))["id"]
        await self.api.stage.run()
        self.runs.clear()
        self.model.requests.clear()
        return await self.api.read(job_id)

    async def fork(self, job: dict[str, Any], turn: int, key: str = ADMIN, **body: Any) -> dict[str, Any]:
        path = f"/api/agent-jobs/{job['id']}/fork"
        response = await self.api.request("POST", path, key, json={"turn": turn, **body})
        assert response.status_code == 202, response.text
        await self.api.stage.run(within_seconds=60)
        return await self.api.read(response.json()["id"])

    async def asked(self, job: dict[str, Any]) -> dict[str, Any]:
        path = f"/api/agent-jobs/{job['id']}/checkpoints"
        (question,) = (await self.api.request("GET", path)).json()["checkpoints"]
        found: dict[str, Any] = question
        return found

    async def diff(self, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        response = await self.api.request("GET", f"/api/agent-jobs/{left['id']}/diff/{right['id']}")
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A buyer, a planner whose second step takes the first one's result, and a price list."""
    runs, model = list[str](), Curious()

    @tool(retries=0)
    async def price(of: str) -> str:
        runs.append(of)
        return f"{of} cost 1"

    @tool(retries=0, requires_approval=lambda arguments, _: arguments["euros"] > 9, approval_people=2)
    async def pay(euros: int) -> int:
        return euros

    payer = Agent(name="payer", model=ScriptedModel([[Call("pay", {"euros": 5})], "done"]), tools=[pay])
    steps = (Step("a", "price", {"of": "x"}), Step("b", "price", {"of": result_of("a")}, depends_on=["a"]))
    buyer = Agent(name="buyer", model=model, tools=[price], limits=Limits(turns=9))
    fixed = Agent(name="fixed", plan=steps, tools=[price])
    foreign = durable(ForeignAgent(scripted([call("add", a=1, b=2)], "3"), name="foreign", tools=[add]))
    stage = Stage(settings=with_keys(), registry=Registry([buyer, payer, fixed, foreign]))
    async with api_of(stage) as api:
        yield Shop(api, model, runs)


async def test_turns_are_taken_over_with_edited_results(shop: Shop) -> None:
    """No model is asked again for them, no tool runs, and what they cost is not paid a second time."""
    job = await shop.ended()
    first, second = (call["id"] for call in job["toolCalls"])
    forked = await shop.fork(job, 3, edits={"toolResults": {first: "pears are sold out"}})
    assert (forked["status"], forked["result"]["answer"]) == ("completed", "pears are sold out, plums cost 1")
    assert (shop.runs, len(shop.model.requests)) == ([], 1)
    assert forked["forkedFrom"] == {"jobId": job["id"], "turn": 3}
    assert forked["sessionId"] != job["sessionId"]
    used = {name: forked["usage"][name] for name in ("modelCalls", "cachedCalls", "costUsd")}
    assert used == {"modelCalls": 1, "cachedCalls": 2, "costUsd": 0.002}
    turns = (await shop.diff(job, forked))["turns"]
    assert [turn["change"] for turn in turns] == ["changed", "same", "changed"]
    assert turns[0]["right"]["calls"][0]["result"] == "pears are sold out"
    assert turns[1]["left"]["calls"][0]["id"] == second


async def test_the_same_calls_are_answered_from_the_recorded_ones(shop: Shop) -> None:
    """With other instructions the model asks for more: what is not recorded asks a person before it runs."""
    job = await shop.ended("pears pears")
    forked = await shop.fork(job, 1, edits={"instructions": "kale"})
    assert (forked["status"], shop.runs, len(shop.model.requests)) == ("waiting", [], 3)
    (question,) = (await shop.api.request("GET", f"/api/agent-jobs/{forked['id']}/checkpoints")).json()["checkpoints"]
    assert (question["tool"], question["arguments"], question["status"]) == ("price", {"of": "kale"}, "pending")
    approved = await shop.api.request("POST", f"/api/admin/agent-checkpoints/{question['id']}", ADMIN, json={})
    assert approved.status_code == 200
    await shop.api.stage.run()
    forked = await shop.api.read(forked["id"])
    assert (forked["result"]["answer"], shop.runs) == ("pears cost 1, pears cost 1, kale cost 1", ["kale"])
    assert [turn["change"] for turn in (await shop.diff(job, forked))["turns"]] == ["same", "same", "changed", "added"]
    assert [turn["change"] for turn in (await shop.diff(forked, job))["turns"]][-1] == "removed"


async def test_a_fork_that_waits_outlives_its_job(shop: Shop) -> None:
    """It needs nothing of it, and still answers the calls that were recorded."""
    job = await shop.ended("pears figs")
    edits = {"instructions": "figs", "taskDescription": "pears kale"}
    forked = await shop.fork(job, 1, edits=edits)
    await shop.api.request("DELETE", f"/api/agent-jobs/{job['id']}")
    shop.api.stage.restart()
    question = await shop.asked(forked)
    assert question["title"] == "Run price: the forked job has no such call"
    await shop.api.request("POST", f"/api/admin/agent-checkpoints/{question['id']}", ADMIN, json={})
    await shop.api.stage.run(within_seconds=60)
    assert (await shop.api.read(forked["id"]))["result"]["answer"] == "pears cost 1, kale cost 1, figs cost 1"
    assert shop.runs == ["kale"]


async def test_calls_run_on_request_and_with_edited_arguments(shop: Shop) -> None:
    """Those of turns that are asked anew; an edited one in a turn that is taken over, as if the model had asked so."""
    job = await shop.ended()
    edited = await shop.fork(job, 2, edits={"arguments": {job["toolCalls"][0]["id"]: {"of": "figs"}}})
    assert (edited["result"]["answer"], shop.runs) == ("figs cost 1, plums cost 1", ["figs"])
    assert edited["toolCalls"][0]["arguments"] == {"of": "figs"}
    shop.runs.clear()
    forked = await shop.fork(job, 2, toolsRun="again", edits={"taskDescription": "pears figs"})
    assert (forked["result"]["answer"], shop.runs) == ("pears cost 1, figs cost 1", ["figs"])
    forked = await shop.fork(job, 2, edits={"taskDescription": "pears plums figs"})
    assert forked["taskDescription"] == "pears plums figs"


async def test_a_client_s_fork_asks_before_a_tool_runs(shop: Shop) -> None:
    """With arguments that the client wrote, or again: a person is shown them, and what is approved runs."""
    job = await shop.ended()
    edits = {"arguments": {job["toolCalls"][0]["id"]: {"of": "figs"}}}
    for turn, tools, shown in ((2, "recorded", "figs"), (2, "again", "figs"), (1, "again", "pears")):
        body = {"toolsRun": tools} | ({"edits": edits} if shown == "figs" else {})
        forked = await shop.fork(job, turn, ACME, **body)
        assert (forked["status"], shop.runs) == ("waiting", [])
        asked = await shop.asked(forked)
        assert (asked["title"], asked["arguments"]) == ("Run price: a client has forked the job", {"of": shown})
        await shop.api.request("POST", f"/api/admin/agent-checkpoints/{asked['id']}", ADMIN, json={})
        await shop.api.stage.run(within_seconds=60)
        assert shop.runs == [shown]
        shop.runs.clear()


async def test_as_many_people_approve_a_fork_s_call_as_its_tool_says(shop: Shop) -> None:
    job = await shop.ended(jobType="payer")
    forked = await shop.fork(job, 1, ACME, toolsRun="again")
    assert (forked["status"], (await shop.asked(forked))["people"]) == ("waiting", 2)


async def test_a_fixed_plan_is_forked(shop: Shop) -> None:
    """Its steps get what earlier steps gave, as edited: a call with other arguments is another call."""
    job = await shop.ended(jobType="fixed")
    forked = await shop.fork(job, 1)
    assert (forked["status"], forked["result"], shop.runs) == ("completed", job["result"], [])
    edits = {"toolResults": {job["toolCalls"][0]["id"]: "y"}}
    changed = await shop.fork(job, 1, edits=edits, toolsRun="recorded")
    assert (changed["status"], changed["toolCalls"][1]["status"]) == ("waiting", "waiting")


async def test_a_fork_can_be_forked_and_retried(shop: Shop) -> None:
    job = await shop.ended()
    first = await shop.fork(job, 2)
    edits = {"toolResults": {first["toolCalls"][0]["id"]: "none"}}
    second = await shop.fork(first, 3, edits=edits)
    assert second["result"]["answer"] == "none, plums cost 1"
    await shop.api.request("PATCH", f"/api/agent-jobs/{second['id']}", json={"action": "retry", "from": "start"})
    await shop.api.stage.run()
    again = await shop.api.read(second["id"])
    assert (again["status"], again["result"]["answer"], shop.runs) == ("completed", "none, plums cost 1", [])


async def test_the_same_request_makes_one_fork(shop: Shop) -> None:
    job = await shop.ended()
    path, headers = f"/api/agent-jobs/{job['id']}/fork", {"idempotency-key": "k"}
    one, two = [(await shop.api.request("POST", path, json={"turn": 2}, headers=headers)).json() for _ in range(2)]
    assert one["id"] == two["id"]
    assert_problem(await shop.api.request("POST", path, json={"turn": 1}, headers=headers), 422)


@pytest.mark.parametrize("request_", [("DELETE", {}), ("PATCH", {"json": {"action": "retry", "from": "start"}})])
async def test_a_fork_takes_over_its_job_as_it_was(shop: Shop, request_: tuple[str, dict[str, Any]]) -> None:
    """The job may be deleted or retried before the fork begins."""
    job, (method, more) = await shop.ended(), request_
    path = f"/api/agent-jobs/{job['id']}"
    response = await shop.api.request("POST", f"{path}/fork", json={"turn": 3})
    await shop.api.request("DELETE", "/api/admin/agent-worker", ADMIN)
    changed = await shop.api.request(method, path, **more)
    assert changed.is_success, changed.text
    await shop.api.request("POST", "/api/admin/agent-worker", ADMIN)
    await shop.api.stage.run()
    forked = await shop.api.read(response.json()["id"])
    assert (forked["status"], forked["result"]["answer"]) == ("completed", "pears cost 1, plums cost 1")
    assert forked["usage"]["cachedCalls"] == 2


async def test_a_fork_fails_clearly_without_what_it_takes_over(shop: Shop) -> None:
    job = await shop.ended()
    response = await shop.api.request("POST", f"/api/agent-jobs/{job['id']}/fork", json={"turn": 2})
    await shop.api.stage.ports.chats.forget_chat("acme", response.json()["sessionId"])
    await shop.api.stage.run()
    forked = await shop.api.read(response.json()["id"])
    assert (forked["status"], forked["error"]["type"]) == ("failed", "fork_source_gone")
    assert job["id"] in forked["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field", "names"),
    [
        ({"turn": 9}, "turn", "from 1 to 3"),
        ({"turn": 2, "toolsRun": "never"}, "toolsRun", "'recorded' or 'again'"),
        ({"turn": 2, "edits": {"model": "unknown"}}, "edits.model", "'unknown'"),
        ({"turn": 2, "edits": {"toolResults": {"call-x": 1}}}, "edits.toolResults.call-x", "'call-x'"),
        ({"turn": 1, "edits": {"arguments": {"CALL": {"of": "a"}}}}, "edits.arguments.CALL", "no turn before turn 1"),
        ({"turn": 2, "edits": {"arguments": {"CALL": {"off": "a"}}}}, "edits.arguments.CALL", "off"),
        ({"turn": 2, "edits": {"temperature": 1}}, "edits.temperature", "not permitted"),
    ],
)
async def test_what_does_not_fit_is_refused(shop: Shop, body: dict[str, Any], field: str, names: str) -> None:
    """422 that names the field and the way out."""
    job = await shop.ended()
    call_id = job["toolCalls"][0]["id"]
    edits = body.get("edits", {})
    if "arguments" in edits:
        body = {**body, "edits": {"arguments": {call_id: edits["arguments"]["CALL"]}}}
    response = await shop.api.request("POST", f"/api/agent-jobs/{job['id']}/fork", json=body)
    assert_problem(response, 422, field.replace("CALL", call_id))
    assert names in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("agent", "turn", "edits", "names"),
    [
        ("fixed", 1, {"instructions": "Hurry."}, "asks no model"),
        ("fixed", 1, {"model": "demo"}, "asks no model"),
        ("foreign", 2, {"taskDescription": "add more"}, "fork at turn 1"),
        ("foreign", 1, {"taskDescription": "add more"}, ""),
    ],
)
async def test_what_its_agent_cannot_take_is_refused(
    shop: Shop, agent: str, turn: int, edits: dict[str, Any], names: str
) -> None:
    job = await shop.ended(jobType=agent)
    body = {"turn": turn, "edits": edits}
    response = await shop.api.request("POST", f"/api/agent-jobs/{job['id']}/fork", json=body)
    assert names in response.text
    if names:
        assert_problem(response, 422, *(f"edits.{name}" for name in edits))
    else:
        assert response.json()["taskDescription"] == "add more"


async def test_only_ended_jobs_are_forked(shop: Shop) -> None:
    open_id = (await shop.api.submitted(jobType="buyer"))["id"]
    path = "/api/agent-jobs/{}/fork"
    assert "ended" in assert_problem(await shop.api.request("POST", path.format(open_id), json={"turn": 1}), 409)
    assert_problem(await shop.api.request("POST", path.format("job_none"), json={"turn": 1}), 404)
