"""A client of MCP as a process, by the official SDK: `URL KEY TOOL`. It calls a tool, which is a task, and polls it.

It prints the task's id at once and the answer at last, approves what it is asked, and survives a server that is gone.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client, ClientSession, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, Request, RequestParams, Result

TASKS = "io.modelcontextprotocol/tasks"


class Task(Result):
    result_type: Literal["task"] = "task"
    task_id: str


class Polled(Result):
    status: str
    result: CallToolResult | None = None
    input_requests: dict[str, Any] | None = None


class OfTask(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


async def unused(_task: Task, _context: ClaimContext) -> CallToolResult:
    """Refuse: a task is polled by `ended`, over connections of its own."""
    raise AssertionError


class Tasks(ClientExtension):
    """The tasks extension, which the SDK leaves to its users."""

    identifier = TASKS

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Task, resolve=unused)]


async def ask(context: Any, params: ElicitRequestParams) -> ElicitResult:
    """Declare that there are people to ask; a task asks by itself."""
    raise AssertionError


async def ended(session: ClientSession, task_id: str) -> CallToolResult:
    while True:
        found = await session.send_request(Request(method="tasks/get", params=OfTask(task_id=task_id)), Polled)
        if found.result is not None:
            return found.result
        if found.input_requests:
            answers: dict[str, Any] = {name: {"action": "accept", "content": {}} for name in found.input_requests}
            params = OfTask(task_id=task_id, input_responses=answers)
            await session.send_request(Request(method="tasks/update", params=params), Result)
        await asyncio.sleep(0.2)


async def main(url: str, key: str, tool: str) -> None:

    @asynccontextmanager
    async def connected() -> AsyncIterator[ClientSession]:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, extensions=[Tasks()], elicitation_callback=ask) as client:
                yield client.session

    async with connected() as session:
        task = await session.call_tool(tool, {"task": "hello"}, allow_claimed=True)
    assert isinstance(task, Task)
    print(task.task_id, flush=True)  # noqa: T201 - the test reads it
    result: CallToolResult | None = None
    while result is None:
        try:
            async with connected() as session:
                result = await ended(session, task.task_id)
        except (BaseExceptionGroup, MCPError, httpx2.HTTPError) as error:
            print(repr(error), file=sys.stderr)  # noqa: T201 - the test shows it
            await asyncio.sleep(0.5)
    print(result.content[0].text, flush=True)  # type: ignore[union-attr]  # noqa: T201 - the test reads it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
