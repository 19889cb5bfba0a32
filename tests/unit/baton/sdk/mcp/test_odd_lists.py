"""Lists and errors as MCP servers really send them: each tool has a name of its own, each error says why."""

import re
from typing import Any

import pytest

from baton.mcp import McpServer
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.sdk.mcp.raw_server import ACME, HI, TOOL, called, listing, raw, says, tools_of

LONG = "synchronize-all-customer-data-across-multiple-systems-and-regions-of-"
NAMES = ["a.b", "a_b", "a/b", "a b", "größe", "gröbe", f"{LONG}europe", f"{LONG}asia", "plain", "x" * 64]
DATA = {"code": "RATE_LIMITED", "retry_after": 30}
SAID = '{"code":"RATE_LIMITED","retry_after":30}'
PICTURE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def resource(said: str) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": "file://log", "text": said}}


def named(*names: str, prefix: str = "") -> list[Tool]:
    return list(server_tools(McpServer("http://x", prefix=prefix), ACME, [TOOL | {"name": name} for name in names]))


@pytest.mark.parametrize("prefix", ["", "enterprise-database-management__"])
def test_tools_whose_names_become_the_same_have_names_of_their_own(prefix: str) -> None:
    names = [tool.name for tool in named(*NAMES, prefix=prefix)]
    assert len(set(names)) == len(NAMES)
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name) for name in names)
    assert [tool.name for tool in named(*reversed(NAMES), prefix=prefix)] == names[::-1]
    assert {f"{prefix}{name}" for name in ("a_b", "plain")} <= set(names)
    assert [tool.name for tool in named("a.b", f"{LONG}asia", prefix=prefix)] == [
        f"{prefix}a_b",
        f"{prefix}{LONG}asia"[:64],
    ]


async def test_each_of_them_is_called_by_the_server_s_name() -> None:
    lists = listing(*(TOOL | {"name": name} for name in NAMES))
    async with raw(tools_list=lists, tools_call=says({"content": [HI]})) as served:
        for tool in await tools_of(served):
            assert await tool.run({}, ToolContext.for_test()) == "hi"


@pytest.mark.parametrize(
    ("content", "data", "said"),
    [
        ([text("disk full")], None, "disk full"),
        ([text("disk full")], {"result": "disk full"}, '{"result":"disk full"}'),
        *(([*blank, text("disk full")], DATA, f"disk full\n{SAID}") for blank in ([], [text("")], [PICTURE])),
        ([text(" \n"), resource("disk full")], DATA, f"disk full\n{SAID}"),
        ([text("a"), resource("b"), PICTURE], None, "a\nb"),
        *((blank, DATA, SAID) for blank in ([], [text("")], [PICTURE], [text(SAID)], [text("RATE_LIMITED")])),
        ([], None, "the tool failed and said nothing"),
        ([text(" ")], {}, "the tool failed and said nothing"),
    ],
)
async def test_an_error_is_told_wherever_its_words_are(content: Any, data: Any, said: str) -> None:
    result = {"content": content, "isError": True} | ({} if data is None else {"structuredContent": data})
    with pytest.raises(ToolError) as caught:
        await called(tools_call=says(result))
    assert (caught.value.type, str(caught.value)) == ("mcp_tool_error", said)


def test_null_in_a_schema_is_nothing() -> None:
    """As servers in Go write an empty list."""
    for name in ("properties", "required", "$defs", "additionalProperties"):
        [tool] = server_tools(McpServer("http://x"), ACME, [TOOL | {"inputSchema": {"type": "object", name: None}}])
        tool.check({"a": 1})
        assert None not in tool.parameters.values()


EMPTY = {"type": "object", "properties": {}}
ITEMS = {"type": "array", "items": {"properties": [], "enum": []}}
DATA_LISTS = {"enum": [], "a": {"default": [], "examples": [[]]}}


@pytest.mark.parametrize(
    ("odd", "properties"),
    [
        *(
            ({name: value}, {})
            for name, value in {"annotations": [], "_meta": [], "description": 5, "icons": {}}.items()
        ),
        ({"inputSchema": []}, {}),
        ({"inputSchema": EMPTY | {"properties": []}}, {}),
        ({"inputSchema": EMPTY | {"properties": {"a": []}}}, {"a": {}}),
        (
            {"inputSchema": EMPTY | {"properties": {"a": ITEMS}}},
            {"a": ITEMS | {"items": {"properties": {}, "enum": []}}},
        ),
        ({"inputSchema": EMPTY | {"properties": DATA_LISTS}}, DATA_LISTS | {"enum": {}}),
    ],
)
async def test_a_careless_entry_hides_no_tool(odd: dict[str, Any], properties: dict[str, Any]) -> None:
    """As servers in PHP write an object without members, and others what they have no text for."""
    lists = listing(TOOL | {"name": "plain"}, TOOL | {"inputSchema": EMPTY, "name": "odd"} | odd)
    async with raw(tools_list=lists, tools_call=says({"content": [HI]})) as served:
        plain, made = await tools_of(served)
        assert (plain.name, made.name, made.parameters["properties"]) == ("plain", "odd", properties)
        assert await made.run({}, ToolContext.for_test()) == "hi"
