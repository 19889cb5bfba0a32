"""Results of tools as older and careless servers send them: what stands in them comes, or the model reads why not."""

import json
from typing import Any

import pytest
from mcp_types.methods import validate_server_result

from baton.sdk.mcp.odd_results import mended
from baton.sdk.models.provider_rules import OPENAI
from baton.sdk.models.tool_schemas import SchemaFaultError, taken_schema
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.sdk.mcp.raw_server import HI, TOOL, called, listing, says

LINK = {"type": "resource_link", "uri": "a:b"}
PNG = "iVBORw0KGgo="


async def result_of(sent: Any) -> Any:
    return await called(tools_call=says(sent))


@pytest.mark.parametrize(
    ("sent", "result"),
    [
        *(({"structuredContent": {"a": 1}, **more}, {"a": 1}) for more in ({}, {"content": None}, {"isError": None})),
        *(({"toolResult": {"a": 1}}, {"a": 1}), ({"toolResult": "x"}, "x"), ({"toolResult": [1, 2]}, "[1,2]")),
        *(({}, ""), ({"content": None}, ""), ({"content": [], "_meta": []}, ""), ({"structuredContent": None}, "")),
        *(({"content": "hi"}, "hi"), ({"content": HI}, "hi"), ({"content": [None, HI, "a", 5]}, "hi\na\n5")),
        *(({"content": [HI], "isError": says}, "hi") for says in (None, False, "false", "no", "", 0, [0][1:])),
        *(({"content": [{"type": "text", **text}]}, "") for text in ({}, {"text": None}, {"text": ""})),
        *(({"content": [{"type": "text", "text": 5}]}, "5"), ({"content": [{"text": "hi"}]}, "hi")),
        ({"content": [{"type": "widget", "x": 1}]}, '{"type":"widget","x":1}'),
        ({"content": [{**HI, "annotations": "x"}]}, "hi"),
        ({"content": [{"type": "image", "data": None}]}, '{"data":null,"type":"image"}'),
        ({"content": [LINK]}, [{**LINK, "name": "a:b"}]),
        ({"content": [{"type": "resource", "resource": None}]}, '{"resource":null,"type":"resource"}'),
        ({"content": [HI], "structuredContent": [1]}, "hi"),
        ({"structuredContent": [1]}, "[1]"),
    ],
)  # fmt: skip
async def test_what_stands_in_an_odd_result_comes(sent: Any, result: Any) -> None:
    assert await result_of(sent) == result


MENU = {"dishes": [{"name": "soup", "euros": 3}, "bread"], "open": True, "note": "cash\nonly"}


@pytest.mark.parametrize("said", ["a long page", "soup", '{"dishes": 3}', "[1]", "4", "[" * 5_000, '"cash'])
async def test_what_a_text_says_beside_data_comes(said: str) -> None:
    """Servers put a page, or a list, into the text, and what is about it into the data."""
    told = {"type": "text", "text": said}
    assert await result_of({"content": [told, LINK], "structuredContent": MENU}) == [
        MENU,
        told,
        {**LINK, "name": "a:b"},
    ]


@pytest.mark.parametrize(
    "said",
    [
        json.dumps(MENU, indent=2),
        *map(json.dumps, (MENU["dishes"], {"euros": 3, "name": "soup"}, *MENU.values())),
        *("bread", "cash\nonly", "", " \n"),
    ],
)
async def test_a_text_that_repeats_data_goes(said: str) -> None:
    told = {"type": "text", "text": said}
    assert await result_of({"content": [told, told], "structuredContent": MENU}) == MENU
    assert await result_of({"content": [HI], "structuredContent": {"result": "hi"}}) == {"result": "hi"}


@pytest.mark.parametrize("data", [{}, {"a": "x"}, None])
async def test_a_result_unlike_its_schema_is_told_with_its_fault(data: Any) -> None:
    """The call has been made; one that is texts alone, as of older servers, is taken."""
    sent = {"content": [HI]} | ({} if data is None else {"structuredContent": data})
    promises = {"outputSchema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}}
    answers = {"tools_list": listing(TOOL | promises), "tools_call": says(sent)}
    if data is None:
        assert await called(**answers) == "hi"
        return
    with pytest.raises(ToolError, match=r"its schema promises: .*a.*; it said: hi") as caught:
        await called(**answers)
    assert (caught.value.type, caught.value.retryable) == ("mcp_invalid_result", False)


async def test_a_picture_without_a_type_has_that_of_its_data() -> None:
    for data, kind in ((PNG, "image/png"), ("aGk=", "application/octet-stream")):
        [kept] = await result_of({"content": [{"type": "image", "data": data}]})
        assert (kept["type"], kept["mediaType"]) == ("file", kind)


@pytest.mark.parametrize("given", [True, "true", "True ", "yes", 1])
async def test_an_error_that_is_said_oddly_is_one(given: Any) -> None:
    for content in ({"content": [HI]}, {}):
        with pytest.raises(ToolError, match="hi" if content else "the tool failed and said nothing") as caught:
            await result_of({**content, "isError": given})
        assert (caught.value.type, caught.value.retryable) == ("mcp_tool_error", False)


@pytest.mark.parametrize("sent", [None, "hi", [1], {"result": 5}, {"output": "x"}, {"content": 5}])
async def test_what_is_no_result_is_a_failure_that_is_not_repeated(sent: Any) -> None:
    with pytest.raises(ToolError) as caught:
        await result_of(sent)
    assert (caught.value.type, caught.value.retryable) == ("mcp_invalid_result", False)


def test_a_right_result_and_other_answers_stay() -> None:
    for sent in ({"content": [HI], "structuredContent": [1], "isError": False}, {"content": [HI, HI], "isError": True}):
        assert mended("tools/call", sent, "2026-07-28") == {**sent, "resultType": "complete"}
    for other in ({"resultType": "task", "taskId": "t"}, {"resultType": "input_required", "content": None}):
        assert mended("tools/call", other, "2026-07-28") is other
    assert mended("tools/list", {"content": None}, "2025-11-25") == {"content": None}
    of_task = mended("tasks/get", {"status": "completed", "result": {"structuredContent": {"a": 1}}}, "2026-07-28")
    assert of_task["result"] == {
        "content": [], "structuredContent": {"a": 1}, "resultType": "complete", "isError": False
    }  # fmt: skip


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_a_tool_whose_schema_is_none_hides_no_other(version: str) -> None:
    """Where it may be one of an object, it is; else no provider is sent it."""
    right = {"name": "right", "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    page = {"tools": [right], "resultType": "complete", "ttlMs": 1_000, "cacheScope": "private"}
    assert mended("tools/list", page, version) is page
    target = {"$ref": "#/$defs/T", "$defs": {"T": {"type": "object"}}}
    odd: dict[str, Any] = {
        "untyped": target,
        "nullable": {"type": ["object", "null"]},
        "a list": {"type": "array"},
        "no schema": {"type": "object", "properties": {"a": "x"}},
        "a text": "object",
    }
    tools = [right, *({"name": name, "inputSchema": schema} for name, schema in odd.items())]
    tools.append({**right, "name": "result", "outputSchema": {"type": "array"}})
    found = {tool["name"]: tool for tool in mended("tools/list", {**page, "tools": tools}, version)["tools"]}
    assert found["right"] == right
    assert found["untyped"]["inputSchema"] == {**target, "type": "object"}
    assert found["nullable"]["inputSchema"] == {"type": "object"}
    for name in ("a list", "no schema", "a text"):
        with pytest.raises(SchemaFaultError):
            taken_schema(found[name]["inputSchema"], OPENAI)
    assert found["result"]["inputSchema"] == right["inputSchema"]
    validate_server_result("tools/list", version, {**page, "tools": list(found.values())})
