"""One request to each provider: what it is sent, and what its answer is to us."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from baton.sdk.agents.agent import Agent, chosen_models
from baton.sdk.models.catalog import ProviderModel
from baton.sdk.models.model import Call, ModelError, ModelRequest, ToolSpec, UserMessage
from baton.sdk.models.through_pydantic_ai.client import streams
from baton.sdk.models.through_pydantic_ai.prices import cost_usd
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import OPENAI
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import QUESTION, Requested


async def test_a_text_is_the_answer(requested: Requested) -> None:
    """In one piece where nobody listens, with the tokens that it took and a finite cost."""
    requested.answers(requested.case.plain("It is 3."))
    answer = await requested.answer()
    assert (answer.text, answer.calls) == ("It is 3.", ())
    said = requested.case.plain("It is 3.")
    assert answer.origin is not None
    assert (answer.origin.id, answer.origin.streamed) == (said.get("id") or said.get("responseId") or "", False)
    assert (answer.input_tokens, answer.output_tokens, answer.cached_input_tokens) == (100, 10, 20)
    assert 0 <= answer.cost_usd < 1
    assert (answer.cost_usd > 0) >= (requested.case is OPENAI)  # by the model that answered, not by the name asked for
    assert not requested.sent().get("stream")


async def test_the_model_is_given_instructions_task_data_tools_and_settings(requested: Requested) -> None:
    requested.answers(requested.case.plain("x"))
    await requested.answer(UserMessage("Sum up.", {"lamp": 20}), settings={"max_tokens": 321})
    sent = requested.route.calls.last.request.content.decode()
    for found in ("Be exact.", "Sum up.", r"{\"lamp\":20}", "Add two numbers.", "321"):
        assert found in sent


async def test_parallel_calls_come_in_their_order(requested: Requested) -> None:
    requested.answers(requested.case.calls("I add.", [("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}')]))
    answer = await requested.answer()
    assert answer.text == "I add."
    assert answer.calls == (Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4}))


async def test_what_the_content_filter_stopped_is_not_asked_again(requested: Requested) -> None:
    """The same question would be stopped again."""
    requested.answers(requested.case.filtered())
    assert not (await requested.failure(r"content filter|refus")).retryable


async def test_an_answer_with_nothing_in_it_may_be_tried_again(requested: Requested) -> None:
    for blank in ("", " \n"):
        requested.answers(requested.case.plain(blank))
        assert (await requested.failure("neither text nor tool calls")).retryable


async def test_the_final_answer_is_a_tool_that_must_be_called(requested: Requested) -> None:
    final = ToolSpec("final_result", "The answer.", {"type": "object", "properties": {"sum": {"type": "integer"}}})
    requested.answers(requested.case.calls("Done.", [("final_result", '{"sum": 3}')]))
    answer = await requested.answer(output=final)
    assert answer.calls == (Call("final_result", {"sum": 3}),)
    assert _tool_names(requested.sent()) == {"add", "final_result"}


async def test_a_missing_key_is_named(requested: Requested, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(requested.case.key_variable)
    assert not (await requested.failure(requested.case.key_variable)).retryable
    assert not requested.route.called


async def test_a_missing_library_is_named() -> None:
    with pytest.raises(ModelError, match=r"library of model 'bedrock:x' .*durable-baton\[models\]") as caught:
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


USAGE = RequestUsage(input_tokens=1_000_000, output_tokens=1_000_000)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        pytest.param("gpt-4o-mini", USAGE, 0.75, id="0.15 and 0.60 dollars a million"),
        pytest.param(
            "gpt-4o-mini", RequestUsage(input_tokens=10**6, cache_read_tokens=10**6), 0.075, id="cached: half"
        ),
        pytest.param(
            "gpt-4o-mini", RequestUsage(input_tokens=1, cost=Decimal("0.5")), 0.5, id="the provider's own bill"
        ),
        pytest.param("gpt-17-enormous", USAGE, 0.0, id="an unknown price is no guess"),
        pytest.param(None, USAGE, 0.0, id="no name"),
        pytest.param("gpt-4o-mini", RequestUsage(input_tokens=1, cache_read_tokens=5), 0.0, id="usage that cannot be"),
    ],
)
def test_what_an_answer_costs(model: str | None, usage: RequestUsage, dollars: float) -> None:
    response = ModelResponse(parts=[TextPart("x")], usage=usage, model_name=model, provider_name="openai")
    assert cost_usd(response) == dollars


def test_a_function_streams_where_it_has_a_stream() -> None:
    async def pieces(_messages: Any, _info: Any) -> AsyncIterator[str]:
        yield "done"

    assert streams(FunctionModel(stream_function=pieces))
    assert not streams(FunctionModel(lambda _messages, _info: ModelResponse([TextPart("done")])))
