"""`replay_recording`: a recorded run as a test."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.pydantic_ai import durable
from baton.sdk.agents.runner import RunFailedError
from baton.testing import Simulation
from baton_local.pytest_plugin import recorded_model, recorded_pydantic_ai_model, replay_recording
from baton_local.replay.recorded import ReplayError
from tests.unit.baton_local.replay.recorder import recorded
from tests.unit.baton_local.replay.sample_agents import registry_of


async def test_a_run_that_is_decided_as_it_was_passes(tmp_path: Path) -> None:
    document = await recorded(registry_of(), "boss")
    replay_recording(document, registry_of())
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    replay_recording(path, registry_of())
    replay_recording(str(path), registry_of())


async def test_a_difference_is_the_failures_message() -> None:
    document = await recorded(registry_of(), "loop")
    with pytest.raises(pytest.fail.Exception, match=r"instructions that the model reads(.|\n)*\+New\."):
        replay_recording(document, registry_of(instructions="New."))
    with pytest.raises(pytest.fail.Exception, match=r"none\.json cannot be read"):
        replay_recording("none.json", registry_of())


@pytest.mark.long
async def test_a_recorded_job_is_a_model_for_crashes_everywhere() -> None:
    registry = registry_of()
    document = await recorded(registry, "boss")
    boss = replace(registry.agent("boss"), model=recorded_model(document))
    others = [agent for agent in registry.agents if agent.name != "boss"]
    report = await Simulation(Registry([boss, *others])).crash_everywhere("boss", "do it")
    report.check()
    assert report.usual.result == document["job"]["result"]


async def test_an_agent_below_the_first_one_is_named() -> None:
    registry = registry_of()
    document = await recorded(registry, "boss")
    helper = replace(registry.agent("helper"), model=recorded_model(document, "helper"))
    assert (await Simulation(Registry([helper])).run("helper", "help")).result == {"answer": "five"}
    with pytest.raises(ReplayError, match="no job of agent 'nobody'"):
        recorded_model(document, "nobody")


def _counter(runs: list[str]) -> PydanticAgent[Any, Any]:
    def script(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        turns: list[ToolCallPart | TextPart] = [ToolCallPart("count", {"what": "oil"}), TextPart("40 litres")]
        return ModelResponse(parts=[turns[sum(isinstance(one, ModelResponse) for one in messages)]])

    counter = PydanticAgent(FunctionModel(script), name="counter")

    @counter.tool_plain
    def count(what: str) -> int:
        runs.append(what)
        return 40

    return counter


async def test_a_recorded_job_is_a_model_for_an_agent_of_pydantic_ai() -> None:
    runs: list[str] = []
    counter = _counter(runs)
    document = await recorded(Registry([durable(counter)]), "counter")
    with counter.override(model=recorded_pydantic_ai_model(document)):
        run = await Simulation(Registry([durable(counter)])).run("counter", "another task")
    assert (run.result, runs) == ({"answer": "40 litres", "output": "40 litres"}, ["oil", "oil"])


async def test_a_job_of_our_own_is_no_model_for_pydantic_ai() -> None:
    document = await recorded(registry_of(), "boss")
    with pytest.raises(RunFailedError, match="was not made by an agent of pydantic-ai"):
        recorded_pydantic_ai_model(document)
