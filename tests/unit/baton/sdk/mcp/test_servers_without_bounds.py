"""MCP servers that send without end, or lead elsewhere: a call ends with a clear error, and little is kept."""

import asyncio
import json
import tracemalloc
import zlib
from itertools import repeat
from typing import Any

import pytest

from baton import Agent, Registry
from baton.mcp import ClientCredentials, McpServer
from baton.sdk.mcp.client import McpError, listed
from baton.sdk.mcp.connections import shared
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError
from baton_events.bounded import HTTP_LIMIT_BYTES
from baton_local.setup.model_faults import never_sent
from tests.unit.baton.sdk.mcp.raw_server import (
    ACME,
    JSON,
    STREAM,
    TOOL,
    Answer,
    Raw,
    Sent,
    answered_with,
    called,
    found,
    listing,
    raw,
    says,
    tools_of,
)

MB = b"x" * 1_000_000


async def fails(served: Raw) -> ToolError:
    [tool] = await tools_of(served)
    tracemalloc.start()
    try:
        with pytest.raises(ToolError) as caught:
            async with asyncio.timeout(60):
                await tool.run({}, ToolContext.for_test())
        assert tracemalloc.get_traced_memory()[1] < 5 * HTTP_LIMIT_BYTES
    finally:
        tracemalloc.stop()
    return caught.value


HEAD = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"'


def bomb(_: Any) -> Sent:
    """300 MB in 1 MB: packed where it is sent, piece by piece, since the test counts memory."""
    packer = zlib.compressobj(1, wbits=31)
    packed = [packer.compress(HEAD), *(packer.compress(MB) for _ in range(300)), packer.flush()]
    return 200, JSON | {"content-encoding": "gzip"}, packed


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answered_with(200, JSON, [HEAD, *repeat(MB, 300)]), id="a result of 300 MB"),
        pytest.param(bomb, id="a bomb of gzip"),
        pytest.param(answered_with(200, JSON | {"content-encoding": "br"}, [b"x"]), id="an encoding not asked for"),
        pytest.param(answered_with(400, JSON, [HEAD, *repeat(MB, 300)]), id="an error of 300 MB"),
        pytest.param(answered_with(200, STREAM, [b"data: ", *repeat(MB, 300)]), id="an event of 300 MB"),
        pytest.param(answered_with(200, STREAM, repeat(b": " + MB + b"\n", 300)), id="comments without end"),
    ],
)
async def test_an_answer_is_bounded_while_it_is_read(answer: Answer) -> None:
    async with raw(tools_call=answer) as served:
        error = await fails(served)
    assert not error.retryable or error.type == "mcp_connection_lost"
    assert len(error.message) < 2_000


@pytest.mark.parametrize("head", [JSON, STREAM])
async def test_half_a_character_in_an_answer_fails_no_call(head: dict[str, str]) -> None:
    """In whatever pieces it comes: the call had its effect."""

    def answer(request_id: Any) -> Sent:
        content = [{"type": "text", "text": "half \ud83d, whole \ud83d\ude00"}]
        body = json.dumps({"jsonrpc": "2.0", "id": request_id, "result": {"content": content}}).encode()
        text = body if head is JSON else b"event: message\ndata: " + body + b"\n\n"
        return 200, head, [text[at : at + 3] for at in range(0, len(text), 3)]

    assert "half \ufffd, whole \U0001f600" in repr(await called(tools_call=answer))


async def test_an_answer_that_is_too_large_ends_its_own_call_only() -> None:
    """The connection goes on, with its other calls."""
    sizes = iter((300, 0))

    def answer(request_id: Any) -> Sent:
        size = next(sizes)
        text = {"content": [{"type": "text", "text": "ok"}]}
        return (200, JSON, [HEAD, *repeat(MB, size)]) if size else found(request_id, text)

    async with raw(tools_call=answer) as served, shared():
        [tool] = await tools_of(served)
        with pytest.raises(ToolError, match=f"more than {HTTP_LIMIT_BYTES} bytes") as caught:
            await tool.run({}, ToolContext.for_test())
        assert caught.value.type == "mcp_invalid_result"
        assert await tool.run({}, ToolContext.for_test()) == "ok"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (
            listing(*({**TOOL, "name": f"t{n}", "description": "d" * 90_000} for n in range(60))),
            "more than 1000000 bytes",
        ),
        (listing(*({**TOOL, "name": f"t{n}"} for n in range(1_001))), "or 1000 tools"),
        (listing(TOOL, nextCursor="again"), "more than 50 pages"),
        (answered_with(200, JSON, [HEAD, *repeat(MB, 60)]), "16000000 bytes"),
    ],
)
async def test_a_list_is_bounded(answer: Answer, fault: str) -> None:
    async with raw(tools_list=answer) as served:
        with pytest.raises(McpError, match=fault) as caught:
            await listed(McpServer(served.url), ACME, None)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("allow", [None, ["big"], ["big", "huge"]])
@pytest.mark.parametrize(
    "huge", [{"description": "d" * 200_000}, {"inputSchema": {"type": "object", "x": ["y"] * 30_000}}]
)
async def test_a_tool_that_is_too_large_is_left_out(
    huge: dict[str, Any], allow: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It has a line in log and doctor, unless nobody allows it."""
    async with raw(tools_list=listing({**TOOL, "name": "huge", **huge}, TOOL)) as served:
        assert [one.name for one in await tools_of(served, allow=allow)] == ["big"]
        agent = Agent("a", "openai:gpt-5", tools=[McpServer(served.url, allow=allow)])
        found = [line async for line in never_sent(Registry([agent]))]
    lines = [line for line in (caplog.text, *found) if "tool 'huge' is left out: it has more than 100000" in line]
    assert len(lines) == (0 if allow == ["big"] else 2)


@pytest.mark.parametrize(("again", "retryable"), [(True, True), (False, False)])
async def test_a_server_that_is_busy_names_the_wait(again: bool, retryable: bool) -> None:
    tool = {**TOOL, "annotations": {"readOnlyHint": again}}
    busy = answered_with(429, {"retry-after": "30", "content-type": "text/plain"}, [b"slow down"])
    async with raw(tools_list=listing(tool), tools_call=busy) as served:
        error = await fails(served)
    assert (error.type, error.retryable, error.retry_after_seconds) == ("mcp_busy", retryable, 30)


@pytest.mark.parametrize(("named", "wait_seconds"), [("86400", 3_600), ("9" * 12, 3_600), ("inf", None), ("nan", None)])
async def test_a_list_of_a_server_that_is_busy_waits_an_hour_at_most(named: str, wait_seconds: float | None) -> None:
    """Infinity has no sense as a wait, so it names none: the list is requested again all the same."""
    async with raw(tools_list=answered_with(503, {"retry-after": named})) as served:
        with pytest.raises(McpError) as caught:
            await listed(McpServer(served.url), ACME, None)
    assert (caught.value.retryable, caught.value.wait_seconds) == (True, wait_seconds)


def promising(schema: dict[str, Any], value: Any) -> dict[str, Answer]:
    result = {"content": [], "structuredContent": value}
    return {"tools_list": listing({**TOOL, "outputSchema": schema}), "tools_call": says(result)}


async def test_a_schema_of_results_neither_asks_nor_holds_the_process() -> None:
    slow, value = {"type": "object", "properties": {"x": {"pattern": "^(a+)+$"}}}, {"x": "a" * 5_000 + "!"}
    async with asyncio.timeout(20):
        assert await called(**promising(slow, value)) == value
    async with raw() as other:
        away = {"type": "object", "properties": {"x": {"$ref": other.url}}}
        async with raw(**promising(away, {"x": 1})) as served:
            error = await fails(served)
        assert (error.type, other.asked) == ("mcp_invalid_result", [])


async def test_metadata_leads_to_no_other_host() -> None:
    """Unless our own credentials name it."""
    async with raw() as other:
        port = other.url.rpartition(":")[2].removesuffix("/mcp")
        elsewhere = f"http://localhost:{port}"
        place = f"{elsewhere}/.well-known/oauth-protected-resource"
        refused = answered_with(401, {"www-authenticate": f'Bearer resource_metadata="{place}"'})
        async with raw(initialize=refused, server_discover=refused) as served:
            base = served.url.removesuffix("/mcp")
            for hosts, is_asked in (((), False), (("localhost",), True)):
                auth = ClientCredentials("baton", "s3cret", base, hosts=hosts)
                with pytest.raises(McpError) as caught:
                    await listed(McpServer(served.url, auth=auth), ACME, None)
                assert bool(other.asked) is is_asked, caught.value
                assert is_asked or "leads to 'localhost'" in str(caught.value)
