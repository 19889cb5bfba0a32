"""Tools that the demo model uses by the form of their arguments."""

from typing import Any, Literal

import pytest

from baton.models.demo.moves import plan_by_form
from baton.models.model import Call, ToolSpec
from baton.tools.tool import tool


def spec(name: str, required: list[str], **properties: Any) -> ToolSpec:
    """A tool as the model sees it."""
    return ToolSpec(name, "", {"properties": properties, "required": required})


def agents(*names: str) -> list[ToolSpec]:
    """Agents as tools."""
    return [spec(name, ["task"], task={"type": "string"}) for name in names]


@tool
def price(item: Literal["lamp", "storm lens", "oil"]) -> int:
    """Look a price up."""
    return len(item)


PRICE = ToolSpec(price.name, price.description, price.parameters)


@pytest.mark.parametrize(
    ("question", "tasks"),
    [
        ("Who? How?", ["Who?", "How?"]),
        ("Who? How? Where? When?", ["Who? Where?", "How? When?"]),
        ("Who did it?", ["Who did it?", "Who did it?"]),
    ],
)
def test_agents_share_the_sentences_of_a_question(question: str, tasks: list[str]) -> None:
    """Where there are fewer sentences than agents, everyone has the whole question."""
    assert [call.arguments for call in plan_by_form(question, agents("a", "b")).calls] == [
        {"task": task} for task in tasks
    ]


def test_a_choice_is_made_for_each_that_the_question_names() -> None:
    """All words of it, in any number; `price` is made with @tool and `Literal`."""
    step = plan_by_form("What do storm lenses and lamps cost?", [PRICE])
    assert step.calls == (Call("price", {"item": "lamp"}), Call("price", {"item": "storm lens"}))
    assert "I ask price about lamp." in step.text


@pytest.mark.parametrize(
    "other",
    [
        spec("fetch", ["url"], url={"type": "string"}),
        spec("now", []),
        spec("wait", ["event", "task"], event={}, task={}),
        spec("odd", ["x"], x={"enum": [1, 2]}),
    ],
)
def test_any_other_tool_is_left_alone(other: ToolSpec) -> None:
    """Nothing is guessed."""
    assert plan_by_form("Fetch x 1 now?", [other]).calls == ()


def test_nothing_asked_is_nothing_done() -> None:
    """An agent is given no empty task."""
    assert plan_by_form(" ", agents("a")).calls == ()
