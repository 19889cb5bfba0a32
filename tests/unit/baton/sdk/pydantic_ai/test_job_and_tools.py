"""A durable agent as a job: what its pieces are given, what it does beyond a run in one process, and its usage."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pydantic_ai as ai
import pytest
from fastmcp.client.transports import StdioTransport
from pydantic import TypeAdapter
from pydantic_ai import Agent, BinaryContent, CallDeferred, DeferredToolRequests, RunContext
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import UsageLimits

from baton import JobInfo, Limits, Registry, Schedule
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable, tool_context
from baton.sdk.pydantic_ai.run_state import usage_from, usage_json
from baton.sdk.pydantic_ai.stopping import leaf_toolsets
from baton.testing import Simulation
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.approval_kit import run_for_an_hour
from tests.unit.baton.sdk.pydantic_ai.documented_agents import add
from tests.unit.baton.sdk.pydantic_ai.documented_features import CountingServer, mcp_of
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, played, scripted, state_of
from tests.unit.baton.server.api.client import api_of, with_keys


async def test_a_prompt_and_dependencies_are_made_of_the_job() -> None:
    """For each piece, and never stored."""
    requested: list[str] = []
    agent = Agent(scripted([call("who")], "done"), name="a", deps_type=dict)

    @agent.tool
    def who(ctx: RunContext[Any]) -> str:
        return str(ctx.deps["secret"].reveal())

    class Secret:
        def reveal(self) -> str:
            return "Ann"

    async def deps(job: Any) -> Any:
        requested.append(job.job_id)
        return {"secret": Secret()}

    store = FakeStore()
    snapshot = await played(durable(agent, deps=deps, prompt=lambda job: ["Please:", job.task]), store)
    assert requested == ["job_1"] * 3
    assert (await state_of(store, snapshot)).messages[0].parts[0].content == ["Please:", "do it"]  # type: ignore[union-attr]


async def test_a_secret_argument_reaches_the_tool_and_is_not_kept() -> None:
    given: list[str] = []
    agent = Agent(scripted([call("log_in", "one", password="open sesame")], "done"), name="a")

    @agent.tool_plain
    def log_in(password: str) -> str:
        given.append(password)
        return "ok"

    store = FakeStore()
    snapshot = await played(durable(agent), store)
    assert (snapshot.job.status, given) == (JobStatus.COMPLETED, ["open sesame"])
    assert "open sesame" not in str(store.tree("job_1").transcript)
    with pytest.raises(LookupError, match="none runs here"):
        tool_context()


@pytest.mark.parametrize("cached", [True, False])
async def test_tools_are_listed_once_in_a_job(*, cached: bool) -> None:
    server = CountingServer("maths")
    agent = mcp_of(server).agent
    for leaf in leaf_toolsets(agent):
        if isinstance(leaf, MCPToolset):
            leaf.cache_tools = cached
    snapshot = await played(durable(agent, name="agent"))
    assert (snapshot.job.error, snapshot.job.status) == (None, JobStatus.COMPLETED)
    in_calls = 3  # MCP's SDK asks again in each call that returns, to check what it returned
    assert (server.lists == 1 + in_calls) is cached


async def test_a_server_outside_of_this_process_is_refused_in_virtual_time() -> None:
    """With what to use instead."""
    agent = Agent(scripted([call("add")], "done"), name="agent", toolsets=[MCPToolset(StdioTransport("server", []))])
    with pytest.raises(RuntimeError, match=r"starts a process, .*MCPToolset\(server\)"):
        await Simulation(Registry([durable(agent)])).run("agent", "go")


def multiply(a: int, b: int) -> int:
    return a * b


def add_many(numbers: list[int]) -> int:
    """Add, by arguments that the calls before the deploy do not have."""
    return sum(numbers)


add_many.__name__ = "add"


def agent_with(*tools: Callable[..., Any]) -> Agent[Any, Any]:
    """An agent that calls `add`, then the newest tool that it has, and answers with the names of all."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        names = [tool.name for tool in info.function_tools]
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        if turn == 0:
            return ModelResponse([call("add", "one", a=1, b=2)])
        if turn == 1 and "multiply" in names:
            return ModelResponse([call("multiply", "two", a=2, b=3)])
        return ModelResponse([TextPart(f"with {names}")])

    return Agent(FunctionModel(answer), name="a", tools=list(tools))


@pytest.mark.parametrize(
    ("after", "found", "output"),
    [
        ([add, multiply], [3, 6], "with ['add', 'multiply']"),
        ([multiply], ["Unknown tool name: 'add'", 6], "with ['multiply']"),
        ([], ["Unknown tool name: 'add'"], "with []"),
        ([add_many], ["numbers"], "with ['add']"),
    ],
    ids=["added", "exchanged", "removed", "changed"],
)
async def test_a_run_goes_on_with_other_tools(after: list[Any], found: list[Any], output: str) -> None:
    stage = PlayedStage(registry=Registry([durable(agent_with(add))]))
    await stage.submit("a")
    deploys = [Registry([durable(agent_with(*after))])]

    async def deploy() -> None:
        if deploys and await stage.calls():
            stage.restart(deploys.pop())

    await stage.run(deploy)
    snapshot = await stage.snapshot()
    assert (deploys, snapshot.job.error, snapshot.job.status) == ([], None, JobStatus.COMPLETED)
    assert snapshot.job.result is not None
    assert snapshot.job.result["output"] == output
    messages = (await state_of(stage.store, snapshot)).messages
    returned = [part.content for one in messages for part in one.parts if part.part_kind == "tool-return"]
    assert len(returned) == len(found)
    for expected, content in zip(found, returned, strict=True):
        assert expected in str(content) if isinstance(expected, str) else expected == content


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


OF_LIBRARY = TypeAdapter(ai.RunUsage)


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"requests": 1},
        {"requests": 2, "input_tokens": 30, "output_tokens": 4, "cache_read_tokens": 5, "tool_calls": 1},
        {"requests": 1, "details": {"reasoning_tokens": 7}},
        {"requests": 1, "cost": Decimal("0.0123")},
        {"requests": 1, "web_searches": 3},
        {"input_tokens": -2},
    ],
)
def test_usage_is_kept_and_read_as_the_library_does_it(counts: dict[str, Any]) -> None:
    usage = ai.RunUsage(**counts)
    for each in (usage, usage - ai.RunUsage(requests=1), usage + ai.RunUsage(requests=1)):
        kept = usage_json(each)
        assert kept == OF_LIBRARY.dump_python(each, mode="json", exclude_defaults=True)
        read, expected = usage_from(kept), OF_LIBRARY.validate_python(kept)
        assert (type(read), read) == (ai.RunUsage, expected)
        assert read - ai.RunUsage(requests=1) == expected - ai.RunUsage(requests=1)
        read.incr(ai.RunUsage(requests=1, input_tokens=2))
        assert read == expected + ai.RunUsage(requests=1, input_tokens=2)


@pytest.mark.parametrize("stored", [{"requests": "x"}, {"requests": [1]}])
def test_what_is_no_usage_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="requests"):
        usage_from(stored)
