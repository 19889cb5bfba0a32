"""A server of HTTP on this machine that answers what a test says, as servers of MCP do, and odd ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from baton.mcp import McpServer
from baton.sdk.mcp.client import listed
from baton.sdk.mcp.connections import shared
from baton.sdk.mcp.mcp_server import McpContext
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool

ACME = McpContext("acme")
JSON, STREAM = {"content-type": "application/json"}, {"content-type": "text/event-stream"}
Sent = tuple[int, dict[str, str], Iterable[bytes]]
Answer = Callable[[Any], Sent]
TOOL: dict[str, Any] = {"name": "big", "description": "d", "inputSchema": {"type": "object", "properties": {}}}
HI = {"type": "text", "text": "hi"}


def found(request_id: Any, result: Any) -> Sent:
    return 200, JSON, [json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode()]


def says(result: Any) -> Answer:
    return lambda request_id: found(request_id, result)


def listing(*tools: dict[str, Any], **more: Any) -> Answer:
    return says({"tools": tools, **more})


def answered_with(status: int = 200, headers: dict[str, str] | None = None, body: Iterable[bytes] = ()) -> Answer:
    return lambda _: (status, headers or {}, body)


def in_turn(*answers: Answer) -> Answer:
    """Give one answer after the other, and the last one for ever."""
    left = list(answers)

    def answer(request_id: Any) -> Sent:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(request_id)

    return answer


def events(*sent: dict[str, Any]) -> list[bytes]:
    return [f"data: {json.dumps({'jsonrpc': '2.0', **each})}\n\n".encode() for each in sent]


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


async def tools_of(served: Raw, **options: Any) -> list[Tool]:
    server = McpServer(served.url, **options)
    return list(server_tools(server, ACME, await listed(server, ACME, None)))


async def called(context: ToolContext | None = None, /, **answers: Answer) -> Any:
    """Call the tool of a server that gives these answers."""
    async with raw(**answers) as served, shared(), asyncio.timeout(60):
        [tool] = await tools_of(served)
        return await tool.run({}, context or ToolContext.for_test())
