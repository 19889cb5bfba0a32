"""MCP servers that send without end, or lead elsewhere: a call ends with a clear error, and little is kept."""

import asyncio
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import repeat
from typing import Any

import pytest

from baton import Agent, Registry
from baton.mcp import ClientCredentials, McpServer
from baton.sdk.mcp.client import McpError
from baton.sdk.mcp.client import listed as tools_listed
from baton.sdk.mcp.mcp_server import McpContext
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError
from baton_events.bounded import HTTP_LIMIT_BYTES
from baton_local.setup.model_faults import never_sent

ACME = McpContext("acme")
JSON, STREAM = {"content-type": "application/json"}, {"content-type": "text/event-stream"}
Sent = tuple[int, dict[str, str], Iterable[bytes]]
TOOL: dict[str, Any] = {"name": "big", "description": "d", "inputSchema": {"type": "object", "properties": {}}}
MB = b"x" * 1_000_000


def found(request_id: Any, result: Any) -> Sent:
    return 200, JSON, [json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode()]


class Raw:
    """A server of HTTP whose answers are made by the test: `answers` by method, given the request's id."""

    def __init__(self, **answers: Callable[[Any], Sent]) -> None:
        self.url, self.asked, self.tasks = "", list[str](), set[asyncio.Task[Any]]()
        self._answers = {name.replace("_", "/"): answer for name, answer in answers.items()}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
                body = json.loads(await reader.readexactly(length) or b"{}") if length else {}
                await self._send(writer, *self._answer(head, body))
        writer.transport.abort()

    def _answer(self, head: str, body: dict[str, Any]) -> Sent:
        method = body.get("method", head.partition(" http")[0])
        self.asked.append(method)
        if method in self._answers:
            return self._answers[method](body.get("id"))
        if method == "initialize":
            about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
            return found(body["id"], about | {"serverInfo": {"name": "raw", "version": "1"}})
        if method == "tools/list":
            return found(body["id"], {"tools": [TOOL]})
        return (202 if "id" not in body else 404), JSON, []

    async def _send(
        self, writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: Iterable[bytes]
    ) -> None:
        lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {text}" for name, text in headers.items())]
        writer.write("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())
        for piece in body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def raw(**answers: Callable[[Any], Sent]) -> AsyncIterator[Raw]:
    made = Raw(**answers)
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    async with server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        yield made
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)


async def tool_of(served: Raw) -> Tool:
    server = McpServer(served.url)
    [tool] = server_tools(server, ACME, await tools_listed(server, ACME, None))
    return tool


async def fails(served: Raw) -> ToolError:
    tool = await tool_of(served)
    tracemalloc.start()
    try:
        with pytest.raises(ToolError) as caught:
            async with asyncio.timeout(60):
                await tool.run({}, ToolContext.for_test())
        assert tracemalloc.get_traced_memory()[1] < 5 * HTTP_LIMIT_BYTES
    finally:
        tracemalloc.stop()
    return caught.value


def answered_with(headers: dict[str, str], body: Iterable[bytes], status: int = 200) -> Callable[[Any], Sent]:
    return lambda _: (status, headers, body)


HEAD = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"'


def bomb(_: Any) -> Sent:
    """300 MB in 1 MB: packed where it is sent, piece by piece, since the test counts memory."""
    packer = zlib.compressobj(1, wbits=31)
    packed = [packer.compress(HEAD), *(packer.compress(MB) for _ in range(300)), packer.flush()]
    return 200, JSON | {"content-encoding": "gzip"}, packed


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answered_with(JSON, [HEAD, *repeat(MB, 300)]), id="a result of 300 MB"),
        pytest.param(bomb, id="a bomb of gzip"),
        pytest.param(answered_with(JSON | {"content-encoding": "br"}, [b"x"]), id="an encoding not asked for"),
        pytest.param(answered_with(JSON, [HEAD, *repeat(MB, 300)], 400), id="an error of 300 MB"),
        pytest.param(answered_with(STREAM, [b"data: ", *repeat(MB, 300)]), id="an event of 300 MB"),
        pytest.param(answered_with(STREAM, repeat(b": " + MB + b"\n", 300)), id="comments without end"),
    ],
)
async def test_an_answer_is_bounded_while_it_is_read(answer: Callable[[Any], Sent]) -> None:
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

    async with raw(tools_call=answer) as served:
        returned = await (await tool_of(served)).run({}, ToolContext.for_test())
    assert "half \ufffd, whole \U0001f600" in repr(returned)


async def test_an_answer_that_is_too_large_ends_its_own_call_only() -> None:
    """The connection goes on, with its other calls."""
    sizes = iter((300, 0))

    def answer(request_id: Any) -> Sent:
        size = next(sizes)
        text = {"content": [{"type": "text", "text": "ok"}]}
        return (200, JSON, [HEAD, *repeat(MB, size)]) if size else found(request_id, text)

    from baton.sdk.mcp.connections import shared  # noqa: PLC0415

    async with raw(tools_call=answer) as served, shared():
        tool = await tool_of(served)
        with pytest.raises(ToolError, match=f"more than {HTTP_LIMIT_BYTES} bytes") as caught:
            await tool.run({}, ToolContext.for_test())
        assert caught.value.type == "mcp_invalid_result"
        assert await tool.run({}, ToolContext.for_test()) == "ok"


def listing(*tools: dict[str, Any], **more: Any) -> Callable[[Any], Sent]:
    return lambda request_id: found(request_id, {"tools": tools, **more})


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (
            listing(*({**TOOL, "name": f"t{n}", "description": "d" * 90_000} for n in range(60))),
            "more than 1000000 bytes",
        ),
        (listing(*({**TOOL, "name": f"t{n}"} for n in range(1_001))), "or 1000 tools"),
        (listing(TOOL, nextCursor="again"), "more than 50 pages"),
        (answered_with(JSON, [HEAD, *repeat(MB, 60)]), "16000000 bytes"),
    ],
)
async def test_a_list_is_bounded(answer: Callable[[Any], Sent], fault: str) -> None:
    async with raw(tools_list=answer) as served:
        with pytest.raises(McpError, match=fault) as caught:
            await tools_listed(McpServer(served.url), ACME, None)
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
        server = McpServer(served.url, allow=allow)
        assert [one.name for one in server_tools(server, ACME, await tools_listed(server, ACME, None))] == ["big"]
        agent = Agent("a", "openai:gpt-5", tools=[server])
        found = [line async for line in never_sent(Registry([agent]))]
    lines = [line for line in (caplog.text, *found) if "tool 'huge' is left out: it has more than 100000" in line]
    assert len(lines) == (0 if allow == ["big"] else 2)


@pytest.mark.parametrize(("again", "retryable"), [(True, True), (False, False)])
async def test_a_server_that_is_busy_names_the_wait(again: bool, retryable: bool) -> None:
    tool = {**TOOL, "annotations": {"readOnlyHint": again}}
    busy = answered_with({"retry-after": "30", "content-type": "text/plain"}, [b"slow down"], 429)
    async with raw(tools_list=listing(tool), tools_call=busy) as served:
        error = await fails(served)
    assert (error.type, error.retryable, error.retry_after_seconds) == ("mcp_busy", retryable, 30)


@pytest.mark.parametrize(("named", "wait_seconds"), [("86400", 3_600), ("9" * 12, 3_600), ("inf", None), ("nan", None)])
async def test_a_list_of_a_server_that_is_busy_waits_an_hour_at_most(named: str, wait_seconds: float | None) -> None:
    """Infinity has no sense as a wait, so it names none: the list is requested again all the same."""
    async with raw(tools_list=answered_with({"retry-after": named}, [], 503)) as served:
        with pytest.raises(McpError) as caught:
            await tools_listed(McpServer(served.url), ACME, None)
    assert (caught.value.retryable, caught.value.wait_seconds) == (True, wait_seconds)


def promising(schema: dict[str, Any], value: Any) -> dict[str, Callable[[Any], Sent]]:
    result = {"content": [], "structuredContent": value}
    return {
        "tools_list": listing({**TOOL, "outputSchema": schema}),
        "tools_call": lambda request_id: found(request_id, result),
    }


async def test_a_schema_of_results_neither_asks_nor_holds_the_process() -> None:
    slow = {"type": "object", "properties": {"x": {"pattern": "^(a+)+$"}}}
    async with raw(**promising(slow, {"x": "a" * 5_000 + "!"})) as served, asyncio.timeout(20):
        assert await (await tool_of(served)).run({}, ToolContext.for_test()) == {"x": "a" * 5_000 + "!"}
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
        refused = answered_with(
            {"www-authenticate": f'Bearer resource_metadata="{elsewhere}/.well-known/oauth-protected-resource"'},
            [],
            401,
        )
        async with raw(initialize=refused, server_discover=refused) as served:
            base = served.url.removesuffix("/mcp")
            for hosts, is_asked in (((), False), (("localhost",), True)):
                auth = ClientCredentials("baton", "s3cret", base, hosts=hosts)
                with pytest.raises(McpError) as caught:
                    await tools_listed(McpServer(served.url, auth=auth), ACME, None)
                assert bool(other.asked) is is_asked, caught.value
                assert is_asked or "leads to 'localhost'" in str(caught.value)
