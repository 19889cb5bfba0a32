"""The scripted model: entry i answers turn i."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.sdk.models.model import Call, ModelAnswer, ModelError, ModelRequest
from baton.sdk.models.scripted import ScriptedModel, stream_text
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


@pytest.mark.parametrize(("pause_seconds", "received"), [(0.001, ["It ", "is ", "42."]), (0.0, [])])
async def test_a_paced_script_is_streamed_word_by_word(pause_seconds: float, received: list[str]) -> None:
    """One without a pause is there at once, so there is nothing to say before."""
    listener = FakeListener()
    model = ScriptedModel(["It is 42."], pause_seconds=pause_seconds)
    answer = await model.answer(ModelRequest("", (), (), 1, listener=listener))
    assert (answer.text, listener.received) == ("It is 42.", received)


@given(st.text(st.sampled_from("ab \n\u3000\t."), max_size=30))
async def test_the_words_together_are_the_text(text: str) -> None:
    listener = FakeListener()
    await stream_text(listener, text)
    assert listener.text == text


async def test_an_answer_or_an_exception_is_given_as_it_is() -> None:
    """And later changes of the list change nothing."""
    answer = ModelAnswer("thinking", (READ,), input_tokens=10, output_tokens=5, cost_usd=0.1)
    assert await ScriptedModel([answer, "done"]).answer(request_of(1)) is answer
    failure = ModelError("busy", retryable=True, retry_after_seconds=3)
    with pytest.raises(ModelError) as caught:
        await ScriptedModel([failure, "done"]).answer(request_of(1))
    assert caught.value is failure
    calls = [READ]
    model = ScriptedModel([calls, "done"])
    calls.append(READ)
    assert (await model.answer(request_of(1))).calls == (READ,)


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
def test_a_call_has_a_name_and_an_object_of_its_own(call: tuple[Any, ...], message: str) -> None:
    """The error names what was given instead."""
    with pytest.raises(TypeError, match=message):
        Call(*call)
    assert Call("list_files") == Call("list_files", {})
    assert Call("list_files").arguments is not Call("list_files").arguments


@pytest.mark.parametrize(
    ("script", "message"),
    [
        *((script, "a script is a list with one entry per turn") for script in ("done", READ, None, {1: "done"})),
        *(([[READ], entry], "entry 2 of the script must be") for entry in (READ, [], ["read_file"], 3, ValueError)),
        ([], "the script is empty"),
        (["done", "more"], r"entry 1 of the script .* entry 2 is never reached"),
        ([ModelAnswer("done"), "more"], r"entry 1 of the script .* entry 2 is never reached"),
    ],
)
def test_a_wrong_script_is_refused_when_it_is_made(script: Any, message: str) -> None:
    """Not in the middle of a job; the text 'done' alone would be read as four entries."""
    with pytest.raises((TypeError, ValueError), match=message):
        ScriptedModel(script)
