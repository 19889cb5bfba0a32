"""Makes tools of an MCP server's list; their calls are like any other.

Invariant: a name that models would refuse is changed to one that they accept, and that no other tool of the server has.
Must not: connect before a call runs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from baton.sdk.mcp.client import FAULT, McpError, called
from baton.sdk.mcp.mcp_server import McpContext, McpServer
from baton.sdk.models.model import NAME_CHARS, accepted_name
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.foreign_schema import JsonSchema
from baton.sdk.tools.return_type import ResultSchema
from baton.sdk.tools.tool import Tool
from baton_events.ids import digest

_MARK_CHARS = 6
_ANYTHING: dict[str, Any] = {"type": "object"}


def server_tools(server: McpServer, context: McpContext, listing: list[dict[str, Any]]) -> Iterator[Tool]:
    """Make a tool of each allowed entry.

    Raises McpError: the server has none of a name in `allow`, or one without a name.
    """
    names = {each["name"] for each in listing}
    if missing := sorted(set(server.allow or ()) - names):
        fault = f"MCP server {server.name} has no tool {', '.join(missing)}, which `allow` names"
        raise McpError(f"{fault}; it has: {', '.join(sorted(names)) or 'none'}", retryable=False)
    wanted = names if server.allow is None else server.allow
    allowed = [each for each in listing if FAULT not in each and each["name"] in wanted]
    full = [f"{server.prefix}{each['name']}" for each in allowed]
    if not all(full):
        fault = f"MCP server {server.name} lists a tool without a name"
        raise McpError(f"{fault}; name those that you need in McpServer(allow=…)", retryable=False)
    for each, name in zip(allowed, _accepted(full), strict=True):
        yield _tool(server, context, each, name)


def _accepted(names: Sequence[str]) -> list[str]:
    """Return the names as models accept them; those that became the same by that get a mark of their own."""
    changed = list(map(accepted_name, names))
    counts = Counter(changed)
    return [
        new
        if new == name or counts[new] == 1
        else f"{new[: NAME_CHARS - _MARK_CHARS - 1]}_{digest(name)[:_MARK_CHARS]}"
        for name, new in zip(names, changed, strict=True)
    ]


def _tool(server: McpServer, context: McpContext, listed: Mapping[str, Any], name: str) -> Tool:
    hints = listed.get("annotations", {})
    again = bool(hints.get("readOnlyHint") or hints.get("idempotentHint"))
    schema: Any = JsonSchema(name, listed.get("inputSchema", _ANYTHING))
    promised = JsonSchema(name, listed["outputSchema"]) if listed.get("outputSchema") else None

    async def call(arguments: dict[str, Any], run: ToolContext) -> Any:
        return await called(server, context, listed["name"], arguments, run, again=again, promised=promised)

    return Tool(
        name=name,
        description=listed.get("description") or listed.get("title") or listed["name"],
        parameters=schema.json_schema,
        timeout_seconds=server.timeout_seconds,
        retries=server.retries if again else 0,
        requires_approval=server.requires_approval,
        approval={"title": f"run tool {name} of {server.name}"},
        call_limits=server.call_limits,
        function=call,
        context_name="run",
        schema=schema,
        results=ResultSchema(name, call, {}),
    )
