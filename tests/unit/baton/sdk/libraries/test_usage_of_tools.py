"""What models within a library's tools use counts in the job, once, as what its own model uses."""

from collections.abc import Callable
from typing import Any

import agents as sdk
import pydantic_ai as ai
import pytest
from langchain.agents import create_agent
from langchain.tools import tool
from langchain_core.messages import HumanMessage

from baton import Registry
from baton.langgraph import durable as of_langgraph
from baton.openai_agents import durable as of_openai
from baton.pydantic_ai import durable as of_pydantic_ai
from baton.sdk.agents.agent import Agent
from baton.testing import Simulation
from tests.unit.baton.sdk.langgraph import example_agents as langgraph
from tests.unit.baton.sdk.libraries.kinds import Script, pydantic_ai
from tests.unit.baton.sdk.openai_agents import example_agents as openai


def _of_pydantic_ai() -> Agent:
    def agent(*turns: Any) -> ai.Agent[Any, Any]:
        runner: Any = pydantic_ai(Script(turns)).runner
        return ai.Agent(runner._agent.model, name="job")

    inner, outer = agent("a"), agent([("ask", {}), ("ask", {})], "ok")

    @outer.tool
    async def ask(ctx: ai.RunContext[Any]) -> str:
        return str((await inner.run("?", usage=ctx.usage)).output)

    return of_pydantic_ai(outer)


def _of_openai() -> Agent:
    inner = sdk.Agent("inner", model=openai.Scripted("inner", "a")).as_tool("ask", "Ask.")
    model = openai.Scripted("job", [("ask", {"input": "?"}), ("ask", {"input": "?"})], "ok")
    config = sdk.RunConfig(tracing_disabled=True)
    return of_openai(sdk.Agent("job", model=model, tools=[inner]), run_config=config)


def _of_langgraph(*, waits: bool) -> Agent:
    inner = langgraph.Scripted(turns=["a"])

    @tool
    async def ask() -> str:
        """Ask."""
        return str((await inner.ainvoke([HumanMessage("?")])).text)

    @tool
    def ask_here() -> str:
        """Ask, and wait for the answer."""
        return str(inner.invoke([HumanMessage("?")]).text)

    asks, name = (ask_here, "ask_here") if waits else (ask, "ask")
    model = langgraph.Scripted(turns=[[(name, {}), (name, {})], "ok"])
    return of_langgraph(create_agent(model, [asks], name="job"))


@pytest.mark.parametrize(
    "make",
    [_of_pydantic_ai, _of_openai, lambda: _of_langgraph(waits=False), lambda: _of_langgraph(waits=True)],
    ids=["pydantic-ai", "openai-agents", "langgraph", "langgraph, which waits"],
)
async def test_usage_within_tools_counts_once(make: Callable[[], Agent]) -> None:
    """Two requests of its own, 10 and 11 tokens, and two within its calls, 10 each."""
    run = await Simulation(Registry([make()])).run("job", "do it")
    assert (run.error, run.result["answer"]) == (None, "ok")
    assert (run.usage["modelCalls"], run.usage["inputTokens"], run.usage["outputTokens"]) == (4, 41, 20)
