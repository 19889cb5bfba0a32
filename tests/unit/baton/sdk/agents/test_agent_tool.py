"""Agents among another agent's tools."""

from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.transitions import CallStatus
from baton.sdk.agents.agent_tool import agent_tool
from baton.sdk.agents.registry import RegistryError
from tests.unit.baton.kit.stage import Stage

DONE = ScriptedModel(["done"])


@tool
def double(number: int) -> int:
    return number * 2


async def test_an_agent_that_fails_is_a_failed_call() -> None:
    lost = Agent("lost", model=ScriptedModel([RuntimeError("no idea")]), model_retries=0)
    head = Agent("head", model=ScriptedModel([[Call("lost", {"task": "find it"})], "alone"]), tools=[lost])
    stage = Stage(registry=Registry([head, lost]))
    await stage.submit("head")
    await stage.run()
    snapshot = await stage.snapshot()
    assert [call.status for call in snapshot.calls] == [CallStatus.FAILED]
    assert "no idea" in snapshot.results[snapshot.calls[0].id]["error"]["message"]
    assert snapshot.job.result == {"answer": "alone"}


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"description": "Knows prices.", "instructions": "Be exact."}, "Knows prices."),
        ({"instructions": "\nLook prices up.\nSay so plainly."}, "Look prices up."),
        ({}, "Give a task to the agent 'a'."),
    ],
)
def test_its_description_is_the_agents_or_the_first_line_of_its_instructions(
    fields: dict[str, Any], description: str
) -> None:
    assert agent_tool(Agent("a", **fields)).description == description


def test_all_faults_are_reported_in_one_error() -> None:
    stranger, dotted, clashing = Agent("stranger"), Agent("code.v2", model=DONE), Agent("double", model=DONE)
    head = Agent("head", model=DONE, tools=[stranger, dotted, clashing, double])
    with pytest.raises(RegistryError) as caught:
        Registry([head, dotted, clashing])
    assert caught.value.faults == (
        "agent 'head': its tool 'stranger' is an agent that is not registered; add it to Registry(agents=[...])",
        "agent 'head': agent 'code.v2' cannot be a tool: its name must be 1 to 64 letters, digits, '_' or '-'",
        "two different tools are named 'double'; give one another name with @tool(name=...), or rename the agent",
    )
