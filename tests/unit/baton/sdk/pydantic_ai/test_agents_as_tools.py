"""An agent that is a tool of an agent of pydantic-ai: each call is a job below the caller's."""

from typing import Any

import pytest
from pydantic_ai import Agent as PydanticAgent

from baton import Agent, Pending, Registry, ScriptedModel, as_tool
from baton.pydantic_ai import durable, tool_context
from baton.sdk.agents.registry import RegistryError
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.pydantic_ai.documented_agents import City, add
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

OWN = Agent(name="historian", model=ScriptedModel(["built in 1815"]), description="Knows the past.")


def geographer() -> Agent:
    turns = ([call("add", a=1, b=2), call("survey", where="Ur")], [call("final_result", name="Ur", people=3)])
    agent = PydanticAgent(scripted(*turns), name="geographer", output_type=City, tools=[add])

    @agent.tool_plain(requires_approval=True)
    async def survey(where: str) -> str:
        Simulation.effect(tool_context().idempotency_key)
        return f"seen {where}"

    return durable(agent, description="Knows places.")


def boss_of(*agents: Agent) -> Agent:
    """One of pydantic-ai that gives each of them a task, at once, beside a call of its own."""
    calls = [call(agent.name, agent.name, task=f"tell {agent.name}") for agent in agents]
    tools: list[Any] = [add, *map(as_tool, agents)]
    return durable(PydanticAgent(scripted([*calls, call("add", a=1, b=1)], "done"), name="boss", tools=tools))


@pytest.mark.long
# The process also dies while other runs are being opened beside: what pydantic-ai had begun of them is just left.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_nested_agents_are_jobs_below_at_each_crash_point() -> None:
    helper = geographer()
    simulation = Simulation(Registry([boss_of(helper, OWN), helper, OWN]))
    report = await simulation.crash_everywhere("boss", "go", decide=lambda _: Approve())
    report.check()
    assert report.usual.result == {"answer": "done", "output": "done"}
    returned = [part for part in report.usual.model_messages[2]["parts"] if part["part_kind"] == "tool-return"]
    assert {part["tool_name"]: part["content"] for part in returned} == {
        "geographer": {"name": "Ur", "people": 3},
        "historian": "built in 1815",
        "add": 2,
    }
    assert {start.tool for start in report.usual.tool_starts} == {"geographer", "historian", "add", "survey"}
    assert len(report.points) >= 40


def test_what_is_no_agent_or_no_name_of_a_tool_is_refused() -> None:
    """As is an agent that is not registered. The model is told what the agent is for."""
    plain: Any = PydanticAgent(scripted("x"), name="plain")
    with pytest.raises(TypeError, match=r"as_tool\(durable\(agent\)\)"):
        as_tool(plain)
    with pytest.raises(ValueError, match="its name must be"):
        as_tool(Agent(name="a.b", model="demo"))
    with pytest.raises(RegistryError, match="its tool 'historian' is an agent that is not registered"):
        Registry([boss_of(OWN)])
    tool: Any = as_tool(OWN)
    assert (tool.__name__, tool.__doc__.splitlines()[0]) == ("historian", "Knows the past.")


async def test_a_tool_may_wait() -> None:
    agent = PydanticAgent(scripted([call("rest")], "awake"), name="sleeper")

    @agent.tool_plain
    def rest() -> Any:
        return Pending(timeout_seconds=3_600, otherwise="morning")

    run = await Simulation(Registry([durable(agent)])).run("sleeper", "rest")
    assert (run.result["answer"], run.model_messages[2]["parts"][0]["content"]) == ("awake", "morning")
    assert run.virtual_seconds >= 3_600
