"""What a durable agent does beyond a run in one process: it waits, streams, is limited and fails as a job."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai import Agent, BinaryContent, CallDeferred, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import UsageLimits

from baton import JobInfo, Limits, Registry, Schedule
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from tests.unit.baton.kit.approval_kit import run_for_an_hour
from tests.unit.baton.sdk.pydantic_ai.documented_agents import add
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, played, scripted, state_of
from tests.unit.baton.server.api.client import api_of, with_keys

PATIENT = Limits(wall_seconds=7 * 86_400)


async def test_an_event_starts_it_with_its_data() -> None:
    """Its task is the one declared; a prompt may be made of the event."""

    def prompt(job: JobInfo) -> str:
        return f"{job.task}: {job.input_data['number']}"

    def repeat(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        prompts = [part.content for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
        return ModelResponse([TextPart(str(prompts[-1]))])

    thanks = durable(
        Agent(FunctionModel(repeat), name="thanks"), on="order.created", task="Thank for", version="2", prompt=prompt
    )
    registry = Registry(
        [thanks], schedules=[Schedule("nightly", "0 2 * * *", agent=thanks, input_data={"number": "all"})]
    )
    assert thanks.version == "2"
    async with api_of(PlayedStage(registry=registry, settings=with_keys())) as api:
        sent = await api.request("POST", "/api/events", json={"name": "order.created", "data": {"number": "A-7"}})
        await api.stage.run(within_seconds=60)
        (handled,) = (await api.request("GET", f"/api/events/{sent.json()['id']}")).json()["handlers"]
        assert (await api.read(handled["jobId"]))["result"]["answer"] == "Thank for: A-7"


@pytest.mark.parametrize(
    ("body", "content", "outcome"),
    [({"success": True, "result": {"n": 1}}, {"n": 1}, "success"), ({"success": False, "error": "no"}, "no", "failed")],
)
async def test_a_deferred_call_is_an_operation(body: dict[str, Any], content: Any, outcome: str) -> None:
    agent = Agent(scripted([call("order")], "done"), name="orders", output_type=[str, DeferredToolRequests])

    @agent.tool_plain
    def order() -> str:
        raise CallDeferred

    settings = replace(with_keys(), operations_api_key="operations")
    stage = PlayedStage(registry=Registry([durable(agent, limits=PATIENT)]), settings=settings)
    async with api_of(stage) as api:
        job_id = (await api.submitted(jobType="orders"))["id"]
        await run_for_an_hour(api)
        [waiting] = await stage.calls(job_id)
        path = f"/api/operations/{waiting.operation_id}/complete"
        assert (await api.request("POST", path, "", json=body, headers={"x-api-key": "operations"})).status_code == 200
        await stage.run()
    snapshot = await stage.snapshot(job_id)
    assert snapshot.job.status is JobStatus.COMPLETED
    [part] = (await state_of(stage.store, snapshot)).messages[2].parts
    assert isinstance(part, ToolReturnPart)
    assert (part.content, part.outcome) == (content, outcome)


@pytest.mark.parametrize(
    ("limits", "calls"),
    [
        (UsageLimits(request_limit=1), 2),
        (UsageLimits(tool_calls_limit=1), 0),
        (UsageLimits(tool_calls_limit=2), 2),
        (UsageLimits(total_tokens_limit=10), 0),
    ],
)
async def test_usage_limits_hold_over_all_pieces(limits: UsageLimits, calls: int) -> None:
    turns = [call("add", a=1, b=2), call("add", a=1, b=3)], [call("add", a=2, b=2)]
    snapshot = await played(durable(Agent(scripted(*turns, "done"), name="often", tools=[add]), usage_limits=limits))
    assert snapshot.job.status is JobStatus.FAILED
    assert snapshot.job.error is not None
    assert snapshot.job.error.type == "UsageLimitExceeded"
    assert len(snapshot.calls) == calls


async def test_a_file_is_shown_without_its_bytes() -> None:
    """They are kept once, with the messages; a long answer of a tool is not twice as long."""
    agent = Agent(scripted([call("draw")], "drawn"), name="draws")

    @agent.tool_plain
    def draw() -> list[Any]:
        return ["a dot", BinaryContent(b"dot" * 1000, media_type="image/png")]

    stage = PlayedStage(registry=Registry([durable(agent)]), settings=with_keys())
    async with api_of(stage) as api:
        job_id = (await api.submitted(jobType="draws"))["id"]
        await stage.run()
        [shown] = (await api.read(job_id))["toolCalls"]
        found = (await api.request("GET", f"/api/agent-jobs/{job_id}/model-messages")).json()["messages"]
    assert (shown["result"][0], shown["result"][1]["media_type"]) == ("a dot", "image/png")
    assert "data" not in shown["result"][1]
    assert len(found[2]["parts"][0]["content"][1]["data"]) == 4000
