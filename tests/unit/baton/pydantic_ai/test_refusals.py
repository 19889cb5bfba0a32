"""What cannot be durable is refused by name, when it is made durable."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import AbstractCapability, ProcessHistory
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.test import TestModel
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset

from baton.pydantic_ai import durable


@dataclass(init=False)
class Counting(AbstractCapability[Any]):
    """Counts in each run."""

    async def for_run(self, ctx: RunContext[Any]) -> "Counting":
        """A new counter."""
        return Counting()


class Session(FunctionToolset[Any]):
    """Has a session for each run."""

    async def for_run(self, ctx: RunContext[Any]) -> AbstractToolset[Any]:
        """A new session."""
        return Session()


@pytest.mark.parametrize(
    ("make", "named", "way_out"),
    [
        (
            lambda: Agent(TestModel(), name="a", capabilities=[Counting()]),
            "capability Counting",
            "in deps or in a store",
        ),
        (lambda: Agent(TestModel(), name="a", toolsets=[Session().prefixed("p")]), "toolset Session", "in deps"),
        (lambda: Agent(name="a"), "it has no model", "give one"),
    ],
)
def test_what_has_state_of_a_run_is_refused_by_name(make: Any, named: str, way_out: str) -> None:
    """With the way out."""
    with pytest.raises(ValueError, match=named) as refused:
        durable(make())
    assert way_out in str(refused.value)


def test_all_faults_are_reported_at_once() -> None:
    """A line each."""
    agent = Agent(name="a", capabilities=[Counting()])
    with pytest.raises(ValueError, match=r"(?s)no model.*Counting"):
        durable(agent)


def test_a_name_is_needed_and_may_be_given() -> None:
    """The agent's own, or another."""
    with pytest.raises(ValueError, match="has no name"):
        durable(Agent(TestModel()))
    assert durable(Agent(TestModel(), name="a")).name == "a"
    assert durable(Agent(TestModel(), name="a"), name="b").name == "b"


def test_what_is_no_agent_or_no_function_is_refused() -> None:
    """By what it is."""
    agent: Any = "agent"
    with pytest.raises(TypeError, match=r"'agent' is not a pydantic_ai\.Agent"):
        durable(agent)
    deps: Any = {"db": 1}
    with pytest.raises(TypeError, match="deps=…"):
        durable(Agent(TestModel(), name="a"), deps=deps)


def all_of_it(messages: list[ModelMessage]) -> list[ModelMessage]:
    """Leave out nothing."""
    return messages


def test_capabilities_of_pydantic_ai_are_taken() -> None:
    """They keep nothing between steps that is not in the messages."""
    assert durable(Agent(TestModel(), name="a", capabilities=[ProcessHistory(all_of_it)])).name == "a"
