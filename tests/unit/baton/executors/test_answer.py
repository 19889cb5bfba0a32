"""A model's answer: calls that can run, calls that go back to it, and the job's result."""

import pytest
from pydantic import BaseModel

from baton import Call, tool
from baton.agents.output import FINAL_TOOL, OutputType
from baton.engine.step_results import ModelAnswered
from baton.executors.model_call import answered
from baton.models.model import ModelAnswer


@tool
def add(a: int, b: int = 1) -> int:
    return a + b


TOOLS = {"add": add}


def only_fault(call: Call) -> tuple[str, dict[str, object]]:
    step_result = answered(ModelAnswer(calls=(call,)), TOOLS)
    assert isinstance(step_result, ModelAnswered)
    fault = step_result.wanted[0].fault
    assert fault is not None
    return fault.type, step_result.wanted[0].arguments


def test_a_wanted_call_that_can_run_has_checked_arguments() -> None:
    step_result = answered(ModelAnswer("I add", (Call("add", {"a": "2"}),), 5, 7), TOOLS)
    assert isinstance(step_result, ModelAnswered)
    assert (step_result.text, step_result.wanted[0].arguments, step_result.wanted[0].fault) == ("I add", {"a": 2}, None)
    assert (step_result.input_tokens, step_result.output_tokens) == (5, 7)


def test_an_unknown_tool_goes_back_to_the_model() -> None:
    assert only_fault(Call("sub", {"a": 1})) == ("unknown_tool", {"a": 1})


def test_arguments_that_do_not_fit_go_back_to_the_model() -> None:
    assert only_fault(Call("add", {"a": "x"})) == ("invalid_arguments", {"a": "x"})


@pytest.mark.parametrize("name", ["add", "unknown"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "half a pair \ud800"])
def test_arguments_that_are_not_json_go_back_to_the_model_and_are_not_kept(name: str, value: object) -> None:
    """Also those of a tool that does not exist, which nothing else checks."""
    assert only_fault(Call(name, {"a": value})) == ("invalid_arguments", {})


def test_arguments_larger_than_the_limit_go_back_to_the_model() -> None:
    assert only_fault(Call("add", {"a": "x" * 300_000})) == ("arguments_too_large", {})


def test_text_that_no_store_can_hold_is_mended() -> None:
    step_result = answered(ModelAnswer("bad \ud800 text"), TOOLS)
    assert isinstance(step_result, ModelAnswered)
    assert step_result.text == "bad ? text"


class City(BaseModel):
    name: str
    people: int


CITY = OutputType("a", City)
TROY = {"name": "Troy", "people": 3}


def with_output(*calls: Call, text: str = "") -> ModelAnswered:
    step_result = answered(ModelAnswer(text, calls, provider={"kind": "x"}), TOOLS, CITY)
    assert isinstance(step_result, ModelAnswered)
    return step_result


def test_the_final_tool_ends_the_job() -> None:
    """Its arguments are the output; the answer is what the model said beside it, else the output as JSON."""
    step_result = with_output(Call(FINAL_TOOL, {"name": "Troy", "people": "3"}))
    assert (step_result.wanted, step_result.output, step_result.text) == ((), TROY, '{"name":"Troy","people":3}')
    assert step_result.provider is None
    assert with_output(Call(FINAL_TOOL, TROY), text="Here it is.").text == "Here it is."


def test_an_output_that_does_not_fit_goes_back_to_the_model() -> None:
    step_result = with_output(Call(FINAL_TOOL, {"name": "Troy"}))
    (wanted_call,) = step_result.wanted
    assert (wanted_call.tool, wanted_call.arguments, step_result.output) == (FINAL_TOOL, {"name": "Troy"}, None)
    assert wanted_call.fault is not None
    assert wanted_call.fault.type == "invalid_output"
    assert "people: Field required" in wanted_call.fault.message
    assert step_result.provider == {"kind": "x"}


def test_text_goes_back_to_the_model_unless_it_is_the_output() -> None:
    assert with_output(text='{"name": "Troy", "people": 3}').output == TROY
    (wanted_call,) = with_output(text="Troy had three.").wanted
    assert wanted_call.fault is not None
    assert "must be a call of 'final_result'" in wanted_call.fault.message


def test_other_tools_come_first() -> None:
    add_one = Call("add", {"a": 1})
    assert [wanted_call.fault for wanted_call in with_output(add_one).wanted] == [None]
    wanted_calls = with_output(add_one, Call(FINAL_TOOL, TROY)).wanted
    assert [(wanted_call.tool, wanted_call.fault and wanted_call.fault.type) for wanted_call in wanted_calls] == [
        ("add", None),
        (FINAL_TOOL, "invalid_output"),
    ]


@pytest.mark.parametrize("arguments", [{"name": "\ud800", "people": 3}, {"name": "x" * 600_000}])
def test_what_no_store_can_hold_is_not_kept(arguments: dict[str, object]) -> None:
    """It goes back to the model without its arguments."""
    (wanted_call,) = with_output(Call(FINAL_TOOL, arguments)).wanted
    assert wanted_call.arguments == {}
    assert wanted_call.fault is not None
    wanted_call.fault.message.encode()


def test_without_an_output_type_the_final_tool_is_unknown() -> None:
    assert only_fault(Call(FINAL_TOOL, {})) == ("unknown_tool", {})


def test_what_the_provider_wants_to_see_again_is_kept() -> None:
    step_result = answered(ModelAnswer("x", provider={"kind": "x"}, cached_input_tokens=5), TOOLS)
    assert isinstance(step_result, ModelAnswered)
    assert (step_result.provider, step_result.cached_input_tokens) == ({"kind": "x"}, 5)
    step_result = answered(ModelAnswer("x", provider={"kind": "\ud800"}), TOOLS)
    assert isinstance(step_result, ModelAnswered)
    assert step_result.provider is None
