"""`baton mcp`: an MCP server over stdio, whose tools are what operators do, over the API of a deployment.

Invariant: each tool is one or two requests with the operator's own key, so it may do what the key may, and the audit
log names the key. The standard output belongs to the protocol. The SDK is loaded by this command alone.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import click

from baton.client import ApiError, AsyncBatonClient
from baton.client.requests import in_path
from baton.sdk.distribution import missing_extra
from baton_local.cli.deployment import Deployment, with_deployment
from baton_local.dev.stack_error import StackError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

Json = dict[str, Any]
_JOBS, _CHECKPOINTS = "/api/agent-jobs", "/api/admin/agent-checkpoints"
_SHOWN = ("id", "jobType", "status", "waitingFor", "taskDescription", "result", "error", "createdAt", "turns")


@click.command()
@with_deployment
def mcp(deployment: Deployment) -> None:
    """Serve MCP over stdio: tools to see jobs, and to act on them. Needs an admin key, and the extra `mcp`."""
    server_of(AsyncBatonClient(deployment.url, deployment.key)).run("stdio")


def server_of(client: AsyncBatonClient) -> "MCPServer[Any]":
    """Return the server. Raises StackError: the SDK is not installed."""
    if missing := missing_extra("mcp", "`baton mcp`"):
        raise StackError(missing)
    from mcp.server.mcpserver import MCPServer  # noqa: PLC0415 - an extra

    what = "Jobs of durable agents: see them, decide what they ask, cancel, retry."
    server = MCPServer[Any]("baton", instructions=what, log_level="WARNING")
    for name, found in OperatorTools(client).tools.items():
        server.tool(name)(found)
    return server


class OperatorTools:
    """The tools; a model reads their docstrings."""

    def __init__(self, client: AsyncBatonClient) -> None:
        self._client = client

    @property
    def tools(self) -> Mapping[str, Callable[..., Any]]:
        names = ("list", "explain", "approve", "reject", "cancel", "retry", "fork")
        return {name: getattr(self, f"_{name}") for name in names}

    async def _list(self, status: str = "", agent: str = "", text: str = "", limit: int = 20, cursor: str = "") -> Json:
        """List jobs, newest first.

        Filters: `status` is pending, processing, waiting, completed, failed or cancelled; `agent` is an agent's name;
        `text` has words of the task, the answer or the error. Where the result has a `cursor` there are more jobs:
        call it again with that.
        """
        named = {"status": status, "jobType": agent, "q": text, "cursor": cursor}
        query = {name: value or None for name, value in named.items()}
        found = await self._sent("GET", _JOBS, query=query | {"limit": limit})
        return {"jobs": [_shown(job) for job in found["jobs"]]} | (
            {"cursor": at} if (at := found.get("cursor")) else {}
        )

    async def _explain(self, job: str) -> Json:
        """Explain what a job does or waits for: its state, its unfinished tool calls, and the approvals that it asks.

        An approval's `id` is what `approve` and `reject` take.
        """
        found = await self._sent("GET", _job(job))
        asked = (await self._sent("GET", _job(job, "/checkpoints")))["checkpoints"]
        calls = [call for call in found["toolCalls"] if call["status"] != "completed"]
        return {
            "job": _shown(found),
            "unfinishedToolCalls": calls,
            "approvals": [each for each in asked if each["status"] == "pending"],
        }

    async def _approve(self, approval: str, comment: str = "", arguments: Json | None = None) -> Json:
        """Approve what a job asks. `arguments` replaces those of the tool call."""
        body = {"comment": comment} | ({} if arguments is None else {"arguments": arguments})
        return await self._sent("POST", f"{_CHECKPOINTS}/{in_path(approval)}", body)

    async def _reject(self, approval: str, reason: str = "") -> Json:
        """Reject what a job asks. Its model reads the reason."""
        return await self._sent("DELETE", f"{_CHECKPOINTS}/{in_path(approval)}", {"reason": reason})

    async def _cancel(self, job: str) -> Json:
        """Cancel a job that has not ended, and the jobs below it."""
        return _shown(await self._sent("PATCH", _job(job), {"action": "cancel"}))

    async def _retry(self, job: str, start: Literal["failure", "start"] = "failure") -> Json:
        """Let an ended job run again: from its failure, or from the start."""
        return _shown(await self._sent("PATCH", _job(job), {"action": "retry", "from": start}))

    async def _fork(
        self, job: str, turn: int, edits: Json | None = None, tools: Literal["recorded", "again"] = "recorded"
    ) -> Json:
        """Fork an ended job from a turn on: a new job.

        `edits` may have taskDescription, instructions, model, toolResults and arguments. `tools`: whether tools give
        the recorded results, or run again.
        """
        body = {"turn": turn, "edits": edits or {}, "toolsRun": tools}
        return _shown(await self._sent("POST", _job(job, "/fork"), body))

    async def _sent(self, method: str, path: str, body: Json | None = None, query: Json | None = None) -> Json:
        try:
            return await self._client.request(method, path, body=body, query=query) or {}
        except ApiError as error:
            from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - an extra

            raise ToolError(str(error)) from error  # of other errors the SDK does not show the text


def _job(job_id: str, rest: str = "") -> str:
    return f"{_JOBS}/{in_path(job_id)}{rest}"


def _shown(job: Json) -> Json:
    return {name: job[name] for name in _SHOWN if job.get(name) is not None}
