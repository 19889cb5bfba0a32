"""The scripted model: entry i answers turn i."""

from typing import Any

import pytest

from baton.models.model import Call, Model, ModelAnswer, ModelError, ModelRequest
from baton.models.scripted import ScriptedModel
from tests.fakes.listener import FakeListener

READ = Call("read_file", {"path": "a.txt"})


def request_of(turn: int) -> ModelRequest:
    """A request whose turn is all that matters."""
    return ModelRequest(instructions="", messages=(), tools=(), turn=turn)


async def test_each_entry_answers_its_turn_and_again_when_the_turn_is_repeated() -> None:
    """Nothing is remembered between turns, so a repeated or skipped turn finds its own entry."""
    model = ScriptedModel([[READ, READ], [READ], "done"])
    assert (await model.answer(request_of(3))) == ModelAnswer(text="done")
    assert (await model.answer(request_of(1))).calls == (READ, READ)
    assert (await model.answer(request_of(1))).calls == (READ, READ)


async def test_a_whole_answer_is_given_as_it_is() -> None:
    """Tokens and cost can be scripted too."""
    answer = ModelAnswer("thinking", (READ,), input_tokens=10, output_tokens=5, cost_usd=0.1)
    assert await ScriptedModel([answer, "done"]).answer(request_of(1)) is answer


async def test_an_exception_entry_is_raised() -> None:
    """Failures of a model can be scripted, and are the very object given."""
    failure = ModelError("busy", retryable=True, retry_after_seconds=3)
    with pytest.raises(ModelError) as caught:
        await ScriptedModel([failure, "done"]).answer(request_of(1))
    assert caught.value is failure
    assert (caught.value.message, caught.value.retryable, caught.value.retry_after_seconds) == ("busy", True, 3)


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


def test_an_empty_script_is_refused() -> None:
    """It could answer nothing."""
    with pytest.raises(ValueError, match="the script is empty"):
        ScriptedModel([])


@pytest.mark.parametrize("final", ["done", ModelAnswer("done")])
def test_entries_behind_a_final_answer_are_refused(final: Any) -> None:
    """They could never be reached."""
    with pytest.raises(ValueError, match=r"entry 1 of the script .* entry 2 is never reached"):
        ScriptedModel([final, "more"])


def test_later_changes_of_the_list_change_nothing() -> None:
    """The script is copied when the model is made."""
    calls = [READ]
    model = ScriptedModel([calls, "done"])
    calls.append(READ)
    assert model._script[0] == ModelAnswer(calls=(READ,))


def test_it_is_a_model_that_needs_no_history() -> None:
    """So the pipeline never loads the transcript for it."""
    assert isinstance(ScriptedModel(["done"]), Model)
    assert ScriptedModel.reads_history is False


@pytest.mark.parametrize(("pause_seconds", "received"), [(0.001, ["It ", "is ", "42."]), (0.0, [])])
async def test_a_paced_script_is_streamed_word_by_word(pause_seconds: float, received: list[str]) -> None:
    """One without a pause is there at once, so there is nothing to say before."""
    listener = FakeListener()
    model = ScriptedModel(["It is 42."], pause_seconds=pause_seconds)
    answer = await model.answer(ModelRequest("", (), (), 1, listener=listener))
    assert (answer.text, listener.received) == ("It is 42.", received)
