"""Tools as providers take them: names of properties change and change back, and what is refused is left out."""

import json
import logging
from typing import Any

import httpx
import pytest

from baton.sdk.models.model import Call, ModelError, ModelMessage, PastCall, ToolMessage, ToolSpec
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import (
    ANTHROPIC,
    GOOGLE,
    OPENAI,
    OPENAI_CHAT,
    ProviderCase,
)
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import ADD, QUESTION, Requested, requesting

ODD = ToolSpec(
    "find",
    "Find.",
    {
        "type": "object",
        "properties": {"$filter": {"type": "string"}, "at": {"type": "object", "properties": {"user name": {}}}},
        "oneOf": [{"required": ["$filter"]}, {"required": ["at"]}],
    },
)
NO_OBJECT = ToolSpec("count", "Count.", {"type": "array", "items": {}})
ARGUMENTS = {"$filter": "a", "at": {"user name": "Ann", "other": [1]}}


def schemas_in(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The schema of each tool in a request, in the forms of all providers."""
    tools = body["tools"]
    tools = tools[0].get("functionDeclarations", tools)
    found = [tool.get("function", tool) for tool in tools]
    names = ("parameters", "input_schema", "parameters_json_schema")
    return {tool["name"]: next(tool[name] for name in names if name in tool) for tool in found}


async def test_names_are_changed_and_changed_back(requested: Requested) -> None:
    """So are those of its earlier calls."""
    requested.answers(requested.case.plain("hello"))
    await requested.answer(QUESTION, tools=(ODD,))
    schema = schemas_in(requested.sent())["find"]
    assert "oneOf" not in schema
    of_filter, at = schema["properties"]
    (of_user,) = schema["properties"][at]["properties"]
    assert ("$" in of_filter, " " in of_user) == (False, False)
    called = {of_filter: "a", at: {of_user: "Ann", "other": [1]}}
    requested.answers(requested.case.calls("", [("find", json.dumps(called))]), requested.case.plain("done"))
    answer = await requested.answer(QUESTION, tools=(ODD,))
    assert answer.calls == (Call("find", ARGUMENTS),)
    past = ModelMessage("", (PastCall("c1", "find", ARGUMENTS),), answer.provider)
    await requested.answer(QUESTION, past, ToolMessage("c1", "find", "found"), tools=(ODD,))
    again = json.dumps(requested.sent())
    assert of_filter in again.replace(json.dumps(schemas_in(requested.sent())), "")
    assert "Ann" in again
    assert '"$filter":' not in again
    assert '\\"$filter\\":' not in again


async def test_a_tool_without_words_is_left_out_with_one_line(
    requested: Requested, caplog: pytest.LogCaptureFixture
) -> None:
    requested.answers(*[requested.case.plain("hello")] * 2)
    with caplog.at_level(logging.WARNING, "baton.models"):
        for _ in range(2):
            answer = await requested.answer(QUESTION, tools=(NO_OBJECT, ADD))
            assert answer.text == "hello"
    assert set(schemas_in(requested.sent())) == {"add"}
    lines = [one.getMessage() for one in caplog.records if "is not sent tool count" in one.getMessage()]
    assert len(lines) <= 1


REFUSALS = [
    (OPENAI, "Invalid schema for function 'odd': In context=('properties', 'a'), something new."),
    (OPENAI_CHAT, "Invalid schema for function 'odd': array schema missing items."),
    (ANTHROPIC, "tools.1.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12."),
    (GOOGLE, "* GenerateContentRequest.tools[0].function_declarations[1].parameters.properties[a].format: only 'enum'"),
]


@pytest.mark.parametrize(("case", "words"), REFUSALS, ids=[case.model for case, _ in REFUSALS])
async def test_a_tool_that_a_provider_refuses_by_name_or_place_is_left_out(case: ProviderCase, words: str) -> None:
    """From then on at once; a refusal that is about nothing of it is told."""
    odd = ToolSpec("odd", f"As {case.model} sees it.", {"type": "object", "properties": {"a": {"type": "string"}}})
    asked = list[set[str]]()

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(set(schemas_in(json.loads(request.content))))
        if "odd" in asked[-1]:
            return httpx.Response(400, json=case.refusal(400, words))
        return httpx.Response(200, json=case.plain("hello"))

    with requesting(case) as provider:
        provider.route.mock(side_effect=answered)
        for _ in range(2):
            assert (await provider.answer(QUESTION, tools=(ADD, odd))).text == "hello"
        assert asked == [{"add", "odd"}, {"add"}, {"add"}]
        provider.fails(400, "the request is too odd")
        with pytest.raises(ModelError, match="too odd"):
            await provider.answer(QUESTION, tools=(ADD,))
