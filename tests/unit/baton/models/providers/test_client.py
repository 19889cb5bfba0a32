"""One request to each provider: what it is sent, and what its answer is to us."""

from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from baton.agents.agent import Agent, chosen_models
from baton.models.catalog import ProviderModel
from baton.models.model import Call, ModelError, ModelRequest, ToolSpec, UserMessage
from tests.unit.baton.models.providers.requesting import QUESTION, Requested


async def test_a_text_is_the_answer(requested: Requested) -> None:
    """With the tokens that it took."""
    requested.answers(requested.case.plain("It is 3."))
    answer = await requested.answer()
    assert (answer.text, answer.calls) == ("It is 3.", ())
    assert (answer.input_tokens, answer.output_tokens, answer.cached_input_tokens) == (100, 10, 20)


async def test_parallel_calls_come_in_their_order(requested: Requested) -> None:
    """Beside what the model says."""
    requested.answers(requested.case.calls("I add.", [("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}')]))
    answer = await requested.answer()
    assert answer.text == "I add."
    assert answer.calls == (Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4}))


async def test_the_model_is_given_instructions_task_data_and_tools(requested: Requested) -> None:
    """In its provider's words."""
    requested.answers(requested.case.plain("x"))
    await requested.answer(UserMessage("Sum up.", {"lamp": 20}))
    sent = requested.route.calls.last.request.content.decode()
    for found in ("Be exact.", "Sum up.", r"{\"lamp\":20}", "Add two numbers."):
        assert found in sent


async def test_settings_are_sent(requested: Requested) -> None:
    """A provider has its own name for the place, but the value is there."""
    requested.answers(requested.case.plain("x"))
    await requested.answer(settings={"max_tokens": 321})
    assert "321" in requested.route.calls.last.request.content.decode()


async def test_what_the_content_filter_stopped_is_not_asked_again(requested: Requested) -> None:
    """The same question would be stopped again."""
    requested.answers(requested.case.filtered())
    with pytest.raises(ModelError, match=r"content filter|refus") as caught:
        await requested.answer()
    assert not caught.value.retryable


async def test_an_answer_with_nothing_in_it_may_be_tried_again(requested: Requested) -> None:
    """It is a whim of the model."""
    requested.answers(requested.case.plain(""))
    with pytest.raises(ModelError, match="neither text nor tool calls") as caught:
        await requested.answer()
    assert caught.value.retryable


async def test_the_final_answer_is_a_tool_that_must_be_called(requested: Requested) -> None:
    """Its call is a call like any other."""
    final = ToolSpec("final_result", "The answer.", {"type": "object", "properties": {"sum": {"type": "integer"}}})
    requested.answers(requested.case.calls("Done.", [("final_result", '{"sum": 3}')]))
    answer = await requested.answer(output=final)
    assert answer.calls == (Call("final_result", {"sum": 3}),)
    assert _tool_names(requested.sent()) == {"add", "final_result"}


async def test_a_missing_key_is_named(requested: Requested, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable to set; nothing is sent."""
    monkeypatch.delenv(requested.case.key_variable)
    with pytest.raises(ModelError, match=requested.case.key_variable) as caught:
        await requested.answer()
    assert not caught.value.retryable
    assert not requested.route.called


async def test_a_missing_library_is_named() -> None:
    """The extra to install."""
    with pytest.raises(ModelError, match=r"library of model 'bedrock:x' is not installed.*extra 'models'") as caught:
        await ProviderModel("bedrock:x").answer(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert not caught.value.retryable


def _tool_names(sent: dict[str, Any]) -> set[str]:
    tools: list[dict[str, Any]] = sent["tools"]
    if "functionDeclarations" in tools[0]:
        tools = [declared for tool in tools for declared in tool["functionDeclarations"]]
    return {tool.get("function", tool)["name"] for tool in tools}


async def test_an_object_of_pydantic_ai_is_an_agents_model() -> None:
    """Asked as a named one is, and called by its provider and its name."""
    agent = Agent("a", model=FunctionModel(lambda _messages, _info: ModelResponse([TextPart("It is 3.")])))
    (model,) = chosen_models(agent.model)
    assert isinstance(model, ProviderModel)
    assert (model.name.partition(":")[0], (await model.answer(ModelRequest("", (QUESTION,), (), 1))).text) == (
        "function",
        "It is 3.",
    )
