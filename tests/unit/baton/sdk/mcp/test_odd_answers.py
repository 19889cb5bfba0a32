"""MCP servers that end sessions, refuse by HTTP, or write odd bytes: a call goes on once, or says what was answered."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from baton.sdk.mcp.client import McpError
from baton.sdk.mcp.connections import shared
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.sdk.mcp.raw_server import (
    HI,
    JSON,
    STREAM,
    TOOL,
    Answer,
    Sent,
    answered_with,
    found,
    in_turn,
    listing,
    raw,
    says,
    tools_of,
)

RESULT = {"content": [HI], "isError": False}
HTML = {"content-type": "text/html"}
ABOUT = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "r", "version": "1"}}
DOES, LISTS, PAGES = says(RESULT), listing(TOOL), listing(TOOL, nextCursor="2")


def in_a_session(request_id: Any) -> Sent:
    status, headers, body = found(request_id, ABOUT)
    return status, {**headers, "mcp-session-id": "s1"}, body


def _over(code: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": "Session not found"}}).encode()


async def _used(**answers: Answer) -> tuple[Any, list[str]]:
    async with raw(initialize=in_a_session, **answers) as served, shared():
        [tool] = await tools_of(served)
        return await tool.run({}, ToolContext.for_test()), served.asked


@pytest.mark.parametrize(
    "over", [answered_with(404), answered_with(404, HTML, [b"<html>"]), answered_with(404, JSON, [_over(-32_001)])]
)
async def test_a_session_that_is_over_is_begun_anew_once(over: Answer) -> None:
    """In a call, which has not run, in a list, and between the pages of one."""
    for answers in (
        {"tools_call": in_turn(over, DOES)},
        {"tools_list": in_turn(over, LISTS), "tools_call": DOES},
        {"tools_list": in_turn(PAGES, over, LISTS), "tools_call": DOES},
    ):
        result, asked = await _used(**answers)
        assert (result, asked.count("initialize")) == ("hi", 2)


async def test_a_session_that_never_lasts_is_not_begun_for_ever() -> None:
    with pytest.raises(McpError, match="the server answered 404") as failed:
        await _used(tools_list=answered_with(404))
    assert failed.value.retryable


@pytest.mark.parametrize(("status", "kind"), [(401, "mcp_refused"), (403, "mcp_refused"), (502, "mcp_connection_lost")])
async def test_a_refusal_by_http_is_named(status: int, kind: str) -> None:
    bodies = (HTML, b"<html>"), (JSON, b""), (JSON, b'{"error": "invalid_token"}'), (JSON, b"[" * 5_000)
    for headers, body in (({}, b""), *bodies):
        refused = answered_with(status, headers, [body] if body else [])
        with pytest.raises(ToolError, match=f"the server answered {status}") as failed:
            await _used(tools_call=refused)
        assert failed.value.type == kind
        with pytest.raises(McpError, match=f"the server answered {status}") as unlisted:
            await _used(tools_list=refused)
        assert unlisted.value.retryable is (kind != "mcp_refused")


async def test_an_error_of_the_protocol_keeps_its_own_words() -> None:
    with pytest.raises(ToolError, match="Session not found"):
        await _used(tools_call=answered_with(400, JSON, [_over(-32_602)]))


def _sent(change: Callable[[bytes], bytes], *, streamed: bool = False) -> Answer:
    def answer(request_id: Any) -> Sent:
        text = json.dumps({"jsonrpc": "2.0", "id": request_id, "result": RESULT}).encode()
        whole = b"id: 1\nevent: message\ndata: " + text + b"\n\n" if streamed else text
        return 200, STREAM if streamed else JSON, [change(whole)]

    return answer


ODD: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda sent: b"\xef\xbb\xbf" + sent, "hi"),
    (lambda sent: sent.replace(b"hi", b"h\xffi"), "h\ufffdi"),
    (lambda sent: sent.replace(b"hi", b"h\xf0\x9f"), "h\ufffd"),
    (lambda sent: sent.replace(b"hi", b"\\ud800"), "\ufffd"),
    (lambda sent: sent.replace(b"\n", b"\r\n"), "hi"),
    (lambda sent: sent.replace(b"\n", b"\r"), "hi"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("change", "text"), ODD)
async def test_odd_bytes_lose_no_result(change: Callable[[bytes], bytes], text: str, *, streamed: bool) -> None:
    assert (await _used(tools_call=_sent(change, streamed=streamed)))[0] == text


async def test_an_empty_cursor_ends_a_list() -> None:
    assert (await _used(tools_list=listing(TOOL, nextCursor=""), tools_call=DOES))[0] == "hi"
