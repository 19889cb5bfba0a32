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


class City(BaseModel):
    name: str
    people: int


CITY = OutputType("a", City)
TROY = {"name": "Troy", "people": 3}


def follows(answer: ModelAnswer, output: OutputType | None = None) -> ModelAnswered:
    """What follows from an answer; `output`: of an agent that has an output type."""
    found = answered(answer, {"add": add}, output)
    assert isinstance(found, ModelAnswered)
    return found


def with_output(*calls: Call, text: str = "") -> ModelAnswered:
    return follows(ModelAnswer(text, calls, provider={"kind": "x"}), CITY)


def test_a_wanted_call_that_can_run_has_checked_arguments() -> None:
    """Coerced as the tool's schema says."""
    found = follows(ModelAnswer("I add", (Call("add", {"a": "2"}),), 5, 7))
    assert (found.text, found.wanted[0].arguments, found.wanted[0].fault) == ("I add", {"a": 2}, None)
    assert (found.input_tokens, found.output_tokens) == (5, 7)


@pytest.mark.parametrize(
    ("call", "fault", "kept"),
    [
        pytest.param(Call("sub", {"a": 1}), "unknown_tool", {"a": 1}, id="an unknown tool"),
        pytest.param(Call(FINAL_TOOL, {}), "unknown_tool", {}, id="a final tool that nobody offered"),
        pytest.param(Call("add", {"a": "x"}), "invalid_arguments", {"a": "x"}, id="arguments that do not fit"),
        pytest.param(Call("add", {"a": float("nan")}), "invalid_arguments", {}, id="no JSON, which is not kept"),
        pytest.param(Call("add", {"a": "half a pair \ud800"}), "invalid_arguments", {}, id="no text that can be kept"),
        pytest.param(Call("unknown", {"a": float("inf")}), "invalid_arguments", {}, id="which nothing else checks"),
        pytest.param(Call("add", {"a": "x" * 300_000}), "arguments_too_large", {}, id="too large to be kept"),
    ],
)
def test_what_cannot_run_goes_back_to_the_model(call: Call, fault: str, kept: dict[str, object]) -> None:
    (wanted,) = follows(ModelAnswer(calls=(call,))).wanted
    assert wanted.fault is not None
    assert (wanted.fault.type, wanted.arguments) == (fault, kept)


def test_what_no_store_can_hold_is_mended_or_left_out() -> None:
    """Half a surrogate pair. What the provider wants to see again is kept otherwise."""
    assert follows(ModelAnswer("bad \ud800 text")).text == "bad ? text"
    found = follows(ModelAnswer("x", provider={"kind": "x"}, cached_input_tokens=5))
    assert (found.provider, found.cached_input_tokens) == ({"kind": "x"}, 5)
    assert follows(ModelAnswer("x", provider={"kind": "\ud800"})).provider is None


def test_the_final_tool_ends_the_job() -> None:
    """Its arguments are the output; the answer is what the model said beside it, else the output as JSON."""
    found = with_output(Call(FINAL_TOOL, {"name": "Troy", "people": "3"}))
    assert (found.wanted, found.output, found.text) == ((), TROY, '{"name":"Troy","people":3}')
    assert found.provider is None
    assert with_output(Call(FINAL_TOOL, TROY), text="Here it is.").text == "Here it is."


@pytest.mark.parametrize(
    ("arguments", "kept", "fault"),
    [
        ({"name": "Troy"}, {"name": "Troy"}, "people: Field required"),
        ({"name": "\ud800", "people": 3}, {}, ""),
        ({"name": "x" * 600_000}, {}, ""),
    ],
)
def test_an_output_that_does_not_fit_goes_back_to_the_model(
    arguments: dict[str, object], kept: dict[str, object], fault: str
) -> None:
    """As the error of that call, with what it was, unless no store can hold that."""
    found = with_output(Call(FINAL_TOOL, arguments))
    (wanted,) = found.wanted
    assert (wanted.tool, wanted.arguments, found.output, found.provider) == (FINAL_TOOL, kept, None, {"kind": "x"})
    assert wanted.fault is not None
    assert wanted.fault.type == "invalid_output"
    assert fault in wanted.fault.message.encode().decode()


def test_text_goes_back_to_the_model_unless_it_is_the_output() -> None:
    """As the error of a call that it should have made."""
    assert with_output(text='{"name": "Troy", "people": 3}').output == TROY
    (wanted,) = with_output(text="Troy had three.").wanted
    assert wanted.fault is not None
    assert "must be a call of 'final_result'" in wanted.fault.message


def test_other_tools_come_first() -> None:
    """The final answer waits for their results."""
    add_one = Call("add", {"a": 1})
    assert [wanted.fault for wanted in with_output(add_one).wanted] == [None]
    both = with_output(add_one, Call(FINAL_TOOL, TROY)).wanted
    assert [(one.tool, one.fault and one.fault.type) for one in both] == [
        ("add", None),
        (FINAL_TOOL, "invalid_output"),
    ]
