"""A model's answer: calls that can run, calls that go back to it, and the job's result."""

import pytest

from events.core.happenings import ModelAnswered
from functions.agents.answer import answered
from functions.models.call import Call
from functions.models.model import ModelAnswer
from functions.tools.tool import tool


@tool
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


TOOLS = {"add": add}


def only_fault(call: Call) -> tuple[str, dict[str, object]]:
    """The type of a wish's fault, and the arguments that are kept of it."""
    happened = answered(ModelAnswer(calls=(call,)), TOOLS)
    assert isinstance(happened, ModelAnswered)
    fault = happened.wanted[0].fault
    assert fault is not None
    return fault.type, happened.wanted[0].arguments


def test_a_wish_that_can_run_has_checked_arguments() -> None:
    """Coerced as the tool's schema says."""
    happened = answered(ModelAnswer("I add", (Call("add", {"a": "2"}),), 5, 7), TOOLS)
    assert isinstance(happened, ModelAnswered)
    assert (happened.text, happened.wanted[0].arguments, happened.wanted[0].fault) == ("I add", {"a": 2}, None)
    assert (happened.input_tokens, happened.output_tokens) == (5, 7)


def test_an_unknown_tool_goes_back_to_the_model() -> None:
    """With what there is."""
    assert only_fault(Call("sub", {"a": 1})) == ("unknown_tool", {"a": 1})


def test_arguments_that_do_not_fit_go_back_to_the_model() -> None:
    """As they were."""
    assert only_fault(Call("add", {"a": "x"})) == ("invalid_arguments", {"a": "x"})


@pytest.mark.parametrize("name", ["add", "unknown"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "half a pair \ud800"])
def test_arguments_that_are_not_json_go_back_to_the_model_and_are_not_kept(name: str, value: object) -> None:
    """Also those of a tool that does not exist, which nothing else checks."""
    assert only_fault(Call(name, {"a": value})) == ("invalid_arguments", {})


def test_arguments_larger_than_the_limit_go_back_to_the_model() -> None:
    """And are not kept."""
    assert only_fault(Call("add", {"a": "x" * 300_000})) == ("arguments_too_large", {})


def test_text_that_no_store_can_hold_is_mended() -> None:
    """Half a surrogate pair."""
    happened = answered(ModelAnswer("bad \ud800 text"), TOOLS)
    assert isinstance(happened, ModelAnswered)
    assert happened.text == "bad ? text"
