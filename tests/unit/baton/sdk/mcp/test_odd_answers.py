"""MCP servers that end sessions, refuse by HTTP, or write odd bytes: a call goes on once, or says what was answered."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from baton.mcp import McpServer
from baton.sdk.mcp.client import McpError, listed
from baton.sdk.mcp.connections import shared
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.sdk.mcp.test_servers_without_bounds import ACME, JSON, STREAM, TOOL, Sent, found, raw

RESULT = {"content": [{"type": "text", "text": "done"}], "isError": False}
HTML = {"content-type": "text/html"}
Answer = Callable[[Any], Sent]


def in_a_session(request_id: Any) -> Sent:
    about = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "r", "version": "1"},
    }
    status, headers, body = found(request_id, about)
    return status, {**headers, "mcp-session-id": "s1"}, body


def in_turn(*answers: Answer) -> Answer:
    """Give one answer after the other, and the last one for ever."""
    left = list(answers)

    def answer(request_id: Any) -> Sent:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(request_id)

    return answer


def refuses(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    return lambda _: (status, headers or {}, [body] if body else [])


def lists(request_id: Any) -> Sent:
    return found(request_id, {"tools": [TOOL]})


def pages(request_id: Any) -> Sent:
    return found(request_id, {"tools": [TOOL], "nextCursor": "2"})


def does(request_id: Any) -> Sent:
    return found(request_id, RESULT)


def _over(code: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": "Session not found"}}).encode()


async def _used(**answers: Answer) -> tuple[Any, list[str]]:
    async with raw(initialize=in_a_session, **answers) as served, shared():
        server = McpServer(served.url)
        [tool] = server_tools(server, ACME, await listed(server, ACME, None))
        return await tool.run({}, ToolContext.for_test()), served.asked


@pytest.mark.parametrize("over", [refuses(404), refuses(404, HTML, b"<html>"), refuses(404, JSON, _over(-32_001))])
async def test_a_session_that_is_over_is_begun_anew_once(over: Answer) -> None:
    """In a call, which has not run, in a list, and between the pages of one."""
    for answers in (
        {"tools_call": in_turn(over, does)},
        {"tools_list": in_turn(over, lists), "tools_call": does},
        {"tools_list": in_turn(pages, over, lists), "tools_call": does},
    ):
        result, asked = await _used(**answers)
        assert (result, asked.count("initialize")) == ("done", 2)


async def test_a_session_that_never_lasts_is_not_begun_for_ever() -> None:
    with pytest.raises(McpError, match="the server answered 404") as failed:
        await _used(tools_list=refuses(404))
    assert failed.value.retryable


@pytest.mark.parametrize(("status", "kind"), [(401, "mcp_refused"), (403, "mcp_refused"), (502, "mcp_connection_lost")])
async def test_a_refusal_by_http_is_named(status: int, kind: str) -> None:
    bodies: tuple[tuple[dict[str, str], bytes], ...] = (
        ({}, b""),
        (HTML, b"<html>"),
        (JSON, b""),
        (JSON, b'{"error": "invalid_token"}'),
        (JSON, b"[" * 5_000),
    )
    for headers, body in bodies:
        with pytest.raises(ToolError, match=f"the server answered {status}") as failed:
            await _used(tools_call=refuses(status, headers, body))
        assert failed.value.type == kind
        with pytest.raises(McpError, match=f"the server answered {status}") as unlisted:
            await _used(tools_list=refuses(status, headers, body))
        assert unlisted.value.retryable is (kind != "mcp_refused")


async def test_an_error_of_the_protocol_keeps_its_own_words() -> None:
    with pytest.raises(ToolError, match="Session not found"):
        await _used(tools_call=refuses(400, JSON, _over(-32_602)))


def _sent(change: Callable[[bytes], bytes], *, streamed: bool = False) -> Answer:
    def answer(request_id: Any) -> Sent:
        text = json.dumps({"jsonrpc": "2.0", "id": request_id, "result": RESULT}).encode()
        whole = b"id: 1\nevent: message\ndata: " + text + b"\n\n" if streamed else text
        return 200, STREAM if streamed else JSON, [change(whole)]

    return answer


ODD: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda sent: b"\xef\xbb\xbf" + sent, "done"),
    (lambda sent: sent.replace(b"done", b"do\xffne"), "do\ufffdne"),
    (lambda sent: sent.replace(b"done", b"do\xf0\x9f"), "do\ufffd"),
    (lambda sent: sent.replace(b"done", b"\\ud800"), "\ufffd"),
    (lambda sent: sent.replace(b"\n", b"\r\n"), "done"),
    (lambda sent: sent.replace(b"\n", b"\r"), "done"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("change", "text"), ODD)
async def test_odd_bytes_lose_no_result(change: Callable[[bytes], bytes], text: str, *, streamed: bool) -> None:
    assert (await _used(tools_call=_sent(change, streamed=streamed)))[0] == text


async def test_an_empty_cursor_ends_a_list() -> None:
    last = {"tools": [TOOL], "nextCursor": ""}
    assert (await _used(tools_list=lambda request_id: found(request_id, last), tools_call=does))[0] == "done"
