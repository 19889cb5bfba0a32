"""The version of an agent: what changes it, and what does not."""

from dataclasses import replace
from typing import Any

import pydantic_ai as ai
import pytest
from pydantic import BaseModel

from baton import Agent, Registry, tool
from baton.pydantic_ai import durable
from baton.sdk.agents.version import version_of


@tool
def look(at: str) -> str:
    return at


class Seen(BaseModel):
    """An answer in a form."""

    what: str


AGENT = Agent(name="a", model="demo", instructions="Look.", tools=[look])


def version(agent: Agent) -> str:
    """Its version in a registry of its own, as another process has one."""
    return version_of(Registry([agent]), agent)


@pytest.mark.parametrize(
    "changes",
    [{"instructions": "Look up."}, {"tools": []}, {"model_settings": {"temperature": 0.5}}, {"output_type": Seen}],
)
def test_what_an_agent_is_made_of_changes_its_version(changes: dict[str, Any]) -> None:
    assert version(replace(AGENT, **changes)) != version(AGENT)
    assert version(replace(AGENT, name="b", description="It looks.")) == version(AGENT)


def test_an_agent_may_name_its_version() -> None:
    assert version(replace(AGENT, version="2026-11")) == "2026-11"
    with pytest.raises(ValueError, match="version 'a b'"):
        replace(AGENT, version="a b")


def test_an_agent_of_pydantic_ai_has_one_too() -> None:
    def made(instructions: Any, output: Any = str) -> str:
        return version(durable(ai.Agent("test", name="a", instructions=instructions, output_type=output)))

    assert made("Look.") == made("Look.")
    assert len({made("Look."), made("Look up."), made(look.name), made("Look.", Seen), made(lambda: "Look.")}) == 5
