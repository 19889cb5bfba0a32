"""The scripted model: entry i answers turn i."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.models.model import Call, ModelAnswer, ModelError, ModelRequest
from baton.models.scripted import ScriptedModel, stream_text
from tests.fakes.listener import FakeListener

READ = Call("read_file", {"path": "a.txt"})


def request_of(turn: int) -> ModelRequest:
    return ModelRequest(instructions="", messages=(), tools=(), turn=turn)


async def test_each_entry_answers_its_turn_and_again_when_the_turn_is_repeated() -> None:
    """Nothing is remembered between turns, so a repeated or skipped turn finds its own entry."""
    model = ScriptedModel([[READ, READ], [READ], "done"])
    assert (await model.answer(request_of(3))) == ModelAnswer(text="done")
    assert (await model.answer(request_of(1))).calls == (READ, READ)
    assert (await model.answer(request_of(1))).calls == (READ, READ)


@pytest.mark.parametrize("turn", [2, 3, 0])
async def test_running_past_the_end_is_a_permanent_error_that_says_so(turn: int) -> None:
    """Asking again would never help."""
    with pytest.raises(ModelError, match=f"1 entries and no answer for turn {turn}") as caught:
        await ScriptedModel([[READ]]).answer(request_of(turn))
    assert caught.value.retryable is False


@pytest.mark.parametrize("script", ["done", READ, ModelAnswer("done"), None, {1: "done"}])
def test_a_script_that_is_no_list_is_refused(script: Any) -> None:
    """The text 'done' alone would otherwise be read as four entries."""
    with pytest.raises(TypeError, match="a script is a list with one entry per turn"):
        ScriptedModel(script)


@pytest.mark.parametrize("entry", [READ, [], ["read_file"], [READ, "x"], 3, None, ValueError])
def test_a_wrong_entry_is_refused_with_its_number(entry: Any) -> None:
    """The mistake is found when the script is made, not in the middle of a job."""
    with pytest.raises(TypeError, match="entry 2 of the script must be"):
        ScriptedModel([[READ], entry])


def test_later_changes_of_the_list_change_nothing() -> None:
    calls = [READ]
    model = ScriptedModel([calls, "done"])
    calls.append(READ)
    assert model._script[0] == ModelAnswer(calls=(READ,))


@pytest.mark.parametrize(("pause_seconds", "received"), [(0.001, ["It ", "is ", "42."]), (0.0, [])])
async def test_a_paced_script_is_streamed_word_by_word(pause_seconds: float, received: list[str]) -> None:
    """One without a pause is there at once, so there is nothing to say before."""
    listener = FakeListener()
    model = ScriptedModel(["It is 42."], pause_seconds=pause_seconds)
    answer = await model.answer(ModelRequest("", (), (), 1, listener=listener))
    assert (answer.text, listener.received) == ("It is 42.", received)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("",), "must be a tool's name, got ''"),
        ((3,), "must be a tool's name, got 3"),
        (("read_file", "a.txt"), "write Call"),
        (("read_file", {1: "a.txt"}), "write Call"),
        (("read_file", None), "write Call"),
    ],
)
def test_a_call_has_a_name_and_an_object(call: tuple[Any, ...], message: str) -> None:
    """The error names what was given instead."""
    with pytest.raises(TypeError, match=message):
        Call(*call)


@given(st.text(st.sampled_from("ab \n\u3000\t."), max_size=30))
async def test_the_words_together_are_the_text(text: str) -> None:
    listener = FakeListener()
    await stream_text(listener, text)
    assert listener.text == text


def test_a_call_without_arguments_has_an_empty_object_of_its_own() -> None:
    first, second = Call("list_files"), Call("list_files")
    assert first.arguments == {}
    assert first == second
    assert first.arguments is not second.arguments


async def test_an_answer_or_an_exception_is_given_as_it_is() -> None:
    answer = ModelAnswer("thinking", (READ,), input_tokens=10, output_tokens=5, cost_usd=0.1)
    assert await ScriptedModel([answer, "done"]).answer(request_of(1)) is answer
    failure = ModelError("busy", retryable=True, retry_after_seconds=3)
    with pytest.raises(ModelError) as caught:
        await ScriptedModel([failure, "done"]).answer(request_of(1))
    assert caught.value is failure


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([], "the script is empty"),
        (["done", "more"], r"entry 1 of the script .* entry 2 is never reached"),
        ([ModelAnswer("done"), "more"], r"entry 1 of the script .* entry 2 is never reached"),
    ],
)
def test_a_script_without_an_answer_or_with_one_too_many_is_refused(script: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScriptedModel(script)
