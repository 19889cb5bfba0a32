"""Talks to MCP servers by the official SDK, in both revisions: lists a server's tools, and calls one.

Invariant: a failure is one of two errors, with the server's own words. Must not: retry, or import the SDK before it is
needed.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import json
from pydantic import ValidationError

from baton.mcp.connections import connection
from baton.mcp.mcp_server import McpContext, McpServer
from baton.sdk.memory import ModelCache
from baton.tools.tool_error import ToolError
from baton_events.errors import StoreError
from baton_events.ids import digest

if TYPE_CHECKING:
    from mcp import Client

KEY_VERSION = 1
_MOST_PAGES = 50
_LIST_TIMEOUT_SECONDS = 20.0
Listing = list[dict[str, Any]]


class Progress(Protocol):
    """Is told how far a call has come."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Take it in."""
        ...


class McpError(Exception):
    """The server gave no list of tools. `retryable`: it may give one later."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


async def listed(server: McpServer, context: McpContext, cache: ModelCache | None) -> Listing:
    """Give the server's tools, as the protocol has them; a list that is still fresh is not asked for again.

    Raises:
        McpError: the server did not give them.
    """
    key = digest("mcp-tools", KEY_VERSION, server.identity(context))
    try:
        kept = await cache.get(context.tenant, key) if cache else None
    except StoreError:
        kept = None
    if kept is not None:
        return json.decode(kept, type=Listing)
    try:
        async with asyncio.timeout(_LIST_TIMEOUT_SECONDS), connection(server, context) as client:
            tools, seconds = await _all_pages(client, server.list_seconds)
    except Exception as error:  # the SDK's tasks raise groups of whatever went wrong
        raise McpError(f"MCP server {server.name}: its tools cannot be listed: {_words(error)}") from error
    if cache and seconds > 0:
        with suppress(StoreError):  # without it, the list is asked for again
            await cache.put(context.tenant, key, json.encode(tools).decode(), seconds)
    return tools


async def called(
    server: McpServer, context: McpContext, name: str, arguments: dict[str, Any], progress: Progress, *, again: bool
) -> Any:
    """Call a tool, and give its result as JSON. `again`: it may be called again after a lost connection.

    Raises:
        ToolError: the tool or the server refused, or the connection was lost.
    """
    try:
        async with connection(server, context) as client:
            result = await client.call_tool(name, arguments, progress_callback=progress)
    except Exception as error:
        raise _failure(server, error, again=again) from error
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    if result.is_error:
        raise ToolError(_text_of(blocks) or "the tool failed and said nothing", type="mcp_tool_error")
    return blocks_value(blocks) if result.structured_content is None else result.structured_content


def blocks_value(blocks: Listing) -> Any:
    """Give content as a model is told it: text as such, resources by their links, other data by its kind and size."""
    if all(block["type"] == "text" for block in blocks):
        return _text_of(blocks)
    return [_shown(block) for block in blocks]


def _shown(block: dict[str, Any]) -> dict[str, Any]:
    if "data" not in block:
        return block
    return {**block, "data": f"[{len(block['data']) * 3 // 4} bytes, left out]"}


def _text_of(blocks: Listing) -> str:
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


async def _all_pages(client: "Client", list_seconds: int) -> tuple[Listing, int]:
    """Read the list, and for how many seconds it is fresh."""
    found, cursor, seconds = Listing(), None, list_seconds
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        if page.ttl_ms is not None and "ttl_ms" in page.model_fields_set:
            seconds = min(86_400, page.ttl_ms // 1000)
        found += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return found, seconds
    raise McpError(f"its list of tools has more than {_MOST_PAGES} pages")


def _failure(server: McpServer, error: Exception, *, again: bool) -> ToolError:
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415
    from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT  # noqa: PLC0415

    cause = _first(error)
    if isinstance(cause, RuntimeError | ValidationError):  # so the SDK says that a result does not fit the protocol
        return ToolError(f"MCP server {server.name}: {_words(error)}", type="mcp_invalid_result")
    if isinstance(cause, MCPError) and cause.error.code not in (CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT):
        return ToolError(f"MCP server {server.name} refused the call: {_words(error)}", type="mcp_refused")
    return ToolError(
        f"MCP server {server.name}: the connection was lost: {_words(error)}", again, type="mcp_connection_lost"
    )


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _words(error: BaseException) -> str:
    cause = _first(error)
    return str(cause) or type(cause).__name__
