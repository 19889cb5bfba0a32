"""What the pieces of a durable agent are given: dependencies, a prompt, secret arguments, tools; also after deploys."""

from collections.abc import Callable
from typing import Any

import pytest
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent, RunContext
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable, tool_context
from baton.sdk.pydantic_ai.stopping import leaf_toolsets
from baton.testing import Simulation
from tests.fakes.stored import FakeStore
from tests.unit.baton.sdk.pydantic_ai.documented_agents import add
from tests.unit.baton.sdk.pydantic_ai.documented_features import CountingServer, mcp_of
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, played, scripted, state_of


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
