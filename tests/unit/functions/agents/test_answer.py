"""A model's answer: calls that can run, calls that go back to it, and the job's result."""

import pytest
from pydantic import BaseModel

from baton.agents.answer import answered
from baton.agents.output import FINAL_TOOL, OutputType
from baton.core.happenings import ModelAnswered
from baton.models.call import Call
from baton.models.model import ModelAnswer
from baton.tools.tool import tool


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


class City(BaseModel):
    """A city."""

    name: str
    people: int


CITY = OutputType("a", City)
TROY = {"name": "Troy", "people": 3}


def with_output(*calls: Call, text: str = "") -> ModelAnswered:
    """What follows from an answer of an agent that has an output type."""
    happened = answered(ModelAnswer(text, calls, provider={"kind": "x"}), TOOLS, CITY)
    assert isinstance(happened, ModelAnswered)
    return happened


def test_the_final_tool_ends_the_job() -> None:
    """Its arguments are the output; the answer is what the model said beside it, else the output as JSON."""
    happened = with_output(Call(FINAL_TOOL, {"name": "Troy", "people": "3"}))
    assert (happened.wanted, happened.output, happened.text) == ((), TROY, '{"name":"Troy","people":3}')
    assert happened.provider is None
    assert with_output(Call(FINAL_TOOL, TROY), text="Here it is.").text == "Here it is."


def test_an_output_that_does_not_fit_goes_back_to_the_model() -> None:
    """As the error of that call, with what it was."""
    happened = with_output(Call(FINAL_TOOL, {"name": "Troy"}))
    (wish,) = happened.wanted
    assert (wish.tool, wish.arguments, happened.output) == (FINAL_TOOL, {"name": "Troy"}, None)
    assert wish.fault is not None
    assert wish.fault.type == "invalid_output"
    assert "people: Field required" in wish.fault.message
    assert happened.provider == {"kind": "x"}


def test_text_goes_back_to_the_model_unless_it_is_the_output() -> None:
    """As the error of a call that it should have made."""
    assert with_output(text='{"name": "Troy", "people": 3}').output == TROY
    (wish,) = with_output(text="Troy had three.").wanted
    assert wish.fault is not None
    assert "must be a call of 'final_result'" in wish.fault.message


def test_other_tools_come_first() -> None:
    """The final answer waits for their results."""
    add_one = Call("add", {"a": 1})
    assert [wish.fault for wish in with_output(add_one).wanted] == [None]
    wishes = with_output(add_one, Call(FINAL_TOOL, TROY)).wanted
    assert [(wish.tool, wish.fault and wish.fault.type) for wish in wishes] == [
        ("add", None),
        (FINAL_TOOL, "invalid_output"),
    ]


@pytest.mark.parametrize("arguments", [{"name": "\ud800", "people": 3}, {"name": "x" * 600_000}])
def test_what_no_store_can_hold_is_not_kept(arguments: dict[str, object]) -> None:
    """It goes back to the model without its arguments."""
    (wish,) = with_output(Call(FINAL_TOOL, arguments)).wanted
    assert wish.arguments == {}
    assert wish.fault is not None
    wish.fault.message.encode()


def test_without_an_output_type_the_final_tool_is_unknown() -> None:
    """Nobody offered it."""
    assert only_fault(Call(FINAL_TOOL, {})) == ("unknown_tool", {})


def test_what_the_provider_wants_to_see_again_is_kept() -> None:
    """Unless the store cannot hold it."""
    happened = answered(ModelAnswer("x", provider={"kind": "x"}, cached_input_tokens=5), TOOLS)
    assert isinstance(happened, ModelAnswered)
    assert (happened.provider, happened.cached_input_tokens) == ({"kind": "x"}, 5)
    happened = answered(ModelAnswer("x", provider={"kind": "\ud800"}), TOOLS)
    assert isinstance(happened, ModelAnswered)
    assert happened.provider is None
