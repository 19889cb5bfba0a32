"""What servers answer, drawn by chance: MCP servers and web pages. Each answer ends the call that asked for it.

Invariant: a server's answer is a tool's result or its failure, which is recorded; a list of tools is taken or refused.
"""

from typing import Any

from mcp_types import CallToolResult
from pydantic_core import from_json

from baton.mcp import McpServer
from baton.sdk.mcp.client import McpError
from baton.sdk.mcp.client import listed as tools_listed
from baton.sdk.mcp.mcp_server import McpContext
from baton.sdk.mcp.odd_results import mended
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.tools.builtin.http_fetch import http_fetch
from baton.sdk.tools.context import ToolContext
from tests.unit.baton.sdk.mcp.raw_server import JSON, STREAM, TOOL, Sent, raw
from tests.unit.baton.sdk.tools.builtin.web_server import answer, web_server
from tests.values.drawn_json import BySchema
from tests.values.odd import Drawn
from tests.values.steps import HALVES, tool_run

_ACME = McpContext("acme")
_TEXT = {"type": "string"}
_KIND = {"enum": ["text", "image", "audio", "resource", "resource_link"]}
_BLOCK = {
    "type": "object",
    "properties": {"type": _KIND, "text": _TEXT, "data": _TEXT, "mimeType": _TEXT, "uri": _TEXT, "name": _TEXT},
    "required": ["type"],
}
_RESULT = BySchema(
    {
        "type": "object",
        "properties": {
            "content": {"anyOf": [{"type": "array", "items": _BLOCK}] * 4 + [{"type": "null"}, _TEXT, _BLOCK]},
            "structuredContent": True,
            "toolResult": True,
            "isError": {"anyOf": [{"type": "boolean"}, {"type": "null"}, {"enum": ["true", "false"]}]},
            "_meta": True,
        },
        "required": [],
    },
    {"data": ('"aGk="', '"!"'), "mimeType": ('"image/png"', '"text/plain"'), "structuredContent": ('{"a": 1}',)},
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"enum": ["object"]},
        "properties": {"type": "object", "properties": {"a": True, "b": {"type": "object"}}},
        "required": {"type": "array", "items": _TEXT},
        "$defs": True,
        "pattern": _TEXT,
        "items": True,
    },
    "required": ["type"],
}
_LIST = BySchema(
    {
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": _TEXT,
                        "description": _TEXT,
                        "inputSchema": _SCHEMA,
                        "outputSchema": _SCHEMA,
                        "annotations": {"type": "object", "properties": {"readOnlyHint": {"type": "boolean"}}},
                    },
                    "required": ["name", "inputSchema"],
                },
            },
            "nextCursor": _TEXT,
        },
        "required": ["tools"],
    },
    {"name": ('"look"', '"order.item"', '"look"'), "a": ('{"type": "integer"}', '{"$ref": "#/$defs/a"}')},
)


def _sent(drawn: Drawn, request_id: Any, result: str) -> Sent:
    """Draw an answer of JSON-RPC with this result: whole or as an event, in pieces, seldom broken off or an error."""
    key = drawn.random.choices(("result", "error", drawn.text()), (10, 1, 1))[0]
    text = f'{{"jsonrpc": "2.0", "id": {request_id}, "{key}": {result}}}'.encode(errors=drawn.random.choice(HALVES))
    head = drawn.random.choice((JSON, STREAM))
    body = text if head is JSON else b"event: message\ndata: " + text.replace(b"\n", b" ") + b"\n\n"
    if drawn.random.random() < 0.05:
        body = body[: drawn.random.randrange(len(body))]
    at = drawn.random.choice((1 + len(body) // 3, len(body) or 1))
    status = drawn.random.choices((200, 202, 400, 404, 500), (20, 1, 1, 1, 1))[0]
    return status, head, [body[begin : begin + at] for begin in range(0, len(body), at)]


async def a_result_of_mcp(drawn: Drawn) -> None:
    """An MCP server answers a call with it."""
    listed = TOOL | drawn.random.choice(({}, {"outputSchema": {"type": "object", "required": ["a"]}}))

    async def body(_: ToolContext) -> Any:
        async with raw(tools_call=lambda request_id: _sent(drawn, request_id, _RESULT.text(drawn))) as served:
            [made] = server_tools(McpServer(served.url), _ACME, [listed])
            return await made.run({}, ToolContext.for_test())

    await tool_run(body)


async def an_odd_result_of_mcp(drawn: Drawn) -> None:
    """An MCP server answers a call with it: the SDK reads what it becomes, unless its content is no list."""
    try:
        sent = from_json(_RESULT.text(drawn).encode(errors="surrogatepass"))
    except ValueError:
        return
    if isinstance(sent, dict):
        result = mended("tools/call", sent, "2025-11-25")
        if isinstance(result.get("content"), list):
            CallToolResult.model_validate(result, by_name=False)
        says = sent.get("content", sent.get("structuredContent", sent.get("toolResult")))
        if isinstance(says, list | str | dict) and sent.get("resultType") is None:
            assert isinstance(result.get("content"), list), sent


async def a_list_of_mcp(drawn: Drawn) -> None:
    """An MCP server names its tools by it; each that is taken can be called."""
    async with raw(tools_list=lambda request_id: _sent(drawn, request_id, _LIST.text(drawn))) as served:
        server = McpServer(served.url)
        try:
            tools = list(server_tools(server, _ACME, await tools_listed(server, _ACME, None)))
        except (McpError, ValueError) as error:
            str(error).encode()
            return
        for made in tools:

            async def body(_: ToolContext, made: Any = made) -> Any:
                return await made.run({}, ToolContext.for_test())

            await tool_run(body)


async def a_page(drawn: Drawn) -> None:
    """A web server answers `http_fetch` with it."""
    chance = drawn.random
    content = chance.choice((drawn.json(), drawn.text())).encode(errors=chance.choice(HALVES))
    headers = {"content_type": chance.choice(("application/json", "text/html; charset=utf-16", "text/plain", "x"))}
    headers |= chance.choice(({}, {"content_encoding": "gzip"}, {"location": "http://[::"}, {"retry_after": "1e999"}))
    headers |= chance.choice(({}, {}, {"content_length": chance.choice(("-1", "5", "9" * 30, "a"))}))
    status = chance.choice((200, 200, 204, 301, 404, 429, 503, 999))

    async def body(_: ToolContext) -> Any:
        async with web_server(lambda *_: answer(status, content, **headers)) as server:
            fetch = http_fetch([f"127.0.0.1:{server.port}"], allow_private=True)
            return await fetch.run({"url": server.url}, ToolContext.for_test())

    await tool_run(body)
