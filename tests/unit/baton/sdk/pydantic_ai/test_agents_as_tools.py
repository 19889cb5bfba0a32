"""An agent that is a tool of an agent of pydantic-ai: each call is a job below the caller's."""

from typing import Any

import pytest
from pydantic_ai import Agent as PydanticAgent

from baton import Agent, Registry, ScriptedModel, as_tool
from baton.pydantic_ai import durable
from baton.sdk.agents.registry import RegistryError
from tests.unit.baton.sdk.pydantic_ai.played import scripted

OWN = Agent(name="historian", model=ScriptedModel(["built in 1815"]), description="Knows the past.")


def test_what_is_no_agent_or_no_name_of_a_tool_is_refused() -> None:
    """As is an agent that is not registered. The model is told what the agent is for."""
    plain: Any = PydanticAgent(scripted("x"), name="plain")
    with pytest.raises(TypeError, match=r"as_tool\(durable\(agent\)\)"):
        as_tool(plain)
    with pytest.raises(ValueError, match="its name must be"):
        as_tool(Agent(name="a.b", model="demo"))
    with pytest.raises(RegistryError, match="its tool 'historian' is an agent that is not registered"):
        Registry([durable(PydanticAgent(scripted("done"), name="boss", tools=[as_tool(OWN)]))])
    tool: Any = as_tool(OWN)
    assert (tool.__name__, tool.__doc__.splitlines()[0]) == ("historian", "Knows the past.")
