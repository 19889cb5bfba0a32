"""What an agent refuses to be."""

import dataclasses
from typing import Any

import pytest

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.history import KeepAll
from baton.sdk.memory.policy import Memory
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.planning.step import Step
from baton.sdk.records.limits import Limits
from baton.sdk.tools.tool import tool


@tool
def ping() -> str:
    return "pong"


def test_defaults_are_those_documented() -> None:
    """An agent needs a name only."""
    agent = Agent("a")
    assert (agent.model, agent.instructions, agent.tools, agent.mode) == (None, "", (), "loop")
    assert (agent.capabilities, agent.limits) == (frozenset(), Limits())
    assert (agent.model_retries, agent.model_timeout_seconds) == (3, 120)
    assert (agent.history, agent.cache_seconds) == (KeepAll(), 0)
    assert (dict(agent.model_settings), agent.output_type, agent.output) == ({}, None, None)


def test_an_agent_cannot_be_changed_through_what_it_was_made_of() -> None:
    tools, capabilities, models, settings = [ping], {"web"}, ["demo", "groq:x"], {"seed": 1}
    agent = Agent("a", tools=tools, capabilities=capabilities, model=models, model_settings=settings)
    for taken in (tools, capabilities, models, settings):
        taken.clear()
    assert (agent.tools, agent.capabilities) == ((ping,), frozenset({"web"}))
    assert (agent.model, agent.model_settings) == (("demo", "groq:x"), {"seed": 1})
    with pytest.raises(dataclasses.FrozenInstanceError):
        agent.name = "b"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", ["", "two words", ".a", "a/b", "x" * 65, None, "a\n"])
def test_a_name_that_does_not_fit_into_a_url_is_refused(name: Any) -> None:
    """It is a job's `jobType`."""
    with pytest.raises(ValueError, match=r"agent name .* must be 1 to 64"):
        Agent(name)
    for usual in ("simple-task", "code.v2", "A_1", "9"):
        assert Agent(usual).name == usual


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": "dream"}, "agent 'a': unknown mode 'dream'; there are: loop, plan"),
        ({"expose": "smtp"}, "agent 'a': expose must be of a2a, mcp, got 'smtp'"),
        ({"plan": Step("a", ping)}, "agent 'a': plan must be a list of steps"),
        ({"plan": [ping]}, "in its plan is no step; write Step('name', tool, {...})"),
        ({"plan": [Step("a", ScriptedModel(["done"]))]}, "agent 'a', step 'a': "),
        ({"max_rounds": 0}, "agent 'a': max_rounds must be a whole number from 1, got 0"),
        ({"isolated": 1}, "agent 'a': isolated must be True or False, got 1"),
        ({"instructions": 1}, "agent 'a': instructions must be a text, got 1"),
        ({"description": None}, "agent 'a': description must be a text, got None"),
        ({"model": []}, "agent 'a': model is an empty list; name at least one model"),
        ({"model": ["demo", 3]}, "agent 'a': model must be a name or have `answer`"),
        ({"model": ["demo", ScriptedModel]}, "agent 'a': model must be an object, got the class ScriptedModel"),
        ({"model_settings": ["temperature"]}, "agent 'a': model_settings must be a dict with text keys"),
        ({"model_settings": {"temprature": 1}}, "agent 'a': model_settings has 'temprature', which no provider knows"),
        ({"output_type": int}, "agent 'a': output_type must be an object with named fields, got int"),
        ({"tools": [ping.function]}, "is not a tool; decorate the function with @tool"),
        ({"tools": ping}, "agent 'a': tools must be a list"),
        ({"capabilities": "web"}, "agent 'a': capabilities must be a set, got 'web'; write {'web'}"),
        ({"history": 1_000}, "agent 'a': history must be KeepAll(), DropOldest(...) or Summarize(...), got 1000"),
        ({"cache_seconds": -1}, "agent 'a': cache_seconds must be a whole number from 0, got -1"),
        ({"limits": {"turns": 3}}, "agent 'a': limits must be Limits"),
        ({"model_retries": True}, "model_retries must be a whole number from 0, got True"),
        ({"model_settings": {"timeout": 0}}, "model_settings has timeout=0; it is more than 0 seconds"),
    ],
)
def test_a_wrong_field_is_refused_with_its_value(fields: dict[str, Any], message: str) -> None:
    """When the agent is made; the message has the way out."""
    with pytest.raises((TypeError, ValueError)) as caught:
        Agent("a", **fields)
    assert message in str(caught.value)


def test_memory_is_a_policy_or_true() -> None:
    """True means the defaults; what is neither is refused when the agent is made."""
    assert Agent(name="a", model="demo", memory=True).memory_policy == Memory()
    assert Agent(name="a", model="demo", memory=Memory(recent=2)).memory_policy == Memory(recent=2)
    assert [Agent(name="a", model="demo", memory=none).memory_policy for none in (None, False)] == [None, None]
    wrong: Any = 3
    with pytest.raises(TypeError, match=r"agent 'a': memory must be Memory\(\.\.\.\), True or False, got 3"):
        Agent(name="a", model="demo", memory=wrong)
