"""What cannot be durable is refused by name; and the private names of pydantic-ai that the adapter uses are there."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.models.test import TestModel

import baton
from baton import as_tool
from baton.pydantic_ai import durable
from baton.sdk.agents.registry import RegistryError
from baton.sdk.pydantic_ai import runner
from baton.sdk.pydantic_ai.run_state import NEXT_TO

# As each of the library's own engines is named.
Other: Any = type("Other", (AbstractCapability,), {"__module__": "pydantic_ai.durable_exec.other"})


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        (Agent(TestModel(), name="a", capabilities=[Other()]), "Other belongs to another engine; leave it out"),
        (Agent(name="a"), "it has no model; give one"),
    ],
)
def test_another_engine_no_model_and_no_name_are_refused(agent: Agent[Any, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        durable(agent)


def private_names() -> Iterator[str]:
    """Modules and attributes that begin with an underscore, as far as they are not the adapter's own."""
    for path in Path(runner.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module=str(module), names=names):
                    yield from (part for part in [*module.split("."), *(one.name for one in names)] if part[0] == "_")
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if name[0] == "_" and owner != "self":
                    yield f"{path.name}: {owner}.{name}"
                case ast.Constant(value=str(text)) if text.startswith("_") and text.isidentifier():
                    yield text
                case _:
                    pass


# What the version of an agent is made of, besides.
GIVEN = {"_instructions", "_system_prompts"}


# What the harness's classes make anew in each piece; its tests fail where a name is gone.
OF_THE_HARNESS = {"_by_name", "_built", "_run_toolset", "_toolset", "_run_state", "_repl"}


def test_three_private_names_are_used() -> None:
    """Of whatever is enqueued: the call whose result it goes next to; of an agent: what it was made with."""
    others = {name for name in private_names() if not name.endswith("__")}
    assert others == {NEXT_TO, *GIVEN, *OF_THE_HARNESS}


async def test_the_private_names_are_there() -> None:
    """Without the first `ctx.enqueue` of a tool adds a request of its own, not a part beside the result."""
    async with Agent(TestModel()).iter("hello") as run:
        run.enqueue("by the way")
        assert hasattr(run.ctx.state.pending_messages[-1], NEXT_TO)
    assert set(vars(Agent(TestModel()))) >= GIVEN


def test_what_is_no_agent_or_no_name_of_a_tool_is_refused() -> None:
    """As is an agent that is not registered. The model is told what the agent is for."""
    own = baton.Agent(name="historian", model=baton.ScriptedModel(["1815"]), description="Knows the past.")
    plain: Any = Agent(TestModel(), name="plain")
    with pytest.raises(TypeError, match=r"as_tool\(durable\(agent\)\)"):
        as_tool(plain)
    with pytest.raises(ValueError, match="its name must be"):
        as_tool(baton.Agent(name="a.b", model="demo"))
    with pytest.raises(RegistryError, match="its tool 'historian' is an agent that is not registered"):
        baton.Registry([durable(Agent(TestModel(), name="boss", tools=[as_tool(own)]))])
    tool: Any = as_tool(own)
    assert (tool.__name__, tool.__doc__.splitlines()[0]) == ("historian", "Knows the past.")
