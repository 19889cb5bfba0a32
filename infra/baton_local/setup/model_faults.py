"""What agents lose by the names of their models: budgets in dollars that no call fills, tools that are not sent.

Must not: be told of a model object, which says itself what its calls cost and takes what its own code takes.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from baton.sdk.agents.agent import Agent, chosen_models
from baton.sdk.agents.registry import Registry
from baton.sdk.mcp.mcp_server import McpContext, McpServer
from baton.sdk.models.catalog import listed_usd
from baton.sdk.models.provider_rules import rules_of
from baton.sdk.models.tool_schemas import SchemaFaultError, taken_schema


def never_counted(registry: Registry) -> Iterator[str]:
    """Yield, for each agent with a budget in dollars that its model's calls never fill, what is wrong."""
    for agent in registry.agents:
        if any(budget.unit == "usd" for budget in (*registry.budgets, *agent.budgets)):
            for model in chosen_models(agent.model):
                if isinstance(model, str) and ":" in model and not listed_usd(model, 1_000_000, 1_000_000):
                    yield f"agent {agent.name!r} has a budget in dollars, and {model} no list price: it counts as 0"


async def never_sent(registry: Registry) -> AsyncIterator[str]:
    """Yield what is wrong with each tool that an agent's model is not sent, and with each server without a list."""
    for agent in registry.agents:
        models = [model for model in chosen_models(agent.model) if isinstance(model, str) and ":" in model]
        if not models:
            continue
        tools: dict[str, Any] = {tool.name: tool.parameters for tool in registry.tools_of(agent).values()}
        for server in agent.servers:
            if isinstance(server, McpServer):
                found, faults = await _listed(server)
                tools |= found
                for fault in faults:
                    yield f"agent {agent.name!r}: {fault}"
        for line in _faults(agent, models, tools):
            yield line


async def _listed(server: McpServer) -> tuple[dict[str, Any], list[str]]:
    """Return the schemas of a server's tools, by their names here, and why there are no others."""
    from baton.sdk.mcp.client import FAULT, McpError, listed  # noqa: PLC0415 - it imports the SDK
    from baton.sdk.mcp.server_tools import server_tools  # noqa: PLC0415 - the same

    context = McpContext("")
    try:
        listing = await listed(server, context, None)
        tools = {tool.name: tool.parameters for tool in server_tools(server, context, listing)}
    except McpError as error:
        return {}, [str(error)]
    return tools, [f"MCP server {server.name}: {each[FAULT]}" for each in listing if FAULT in each]


def _faults(agent: Agent, models: Iterable[str], tools: dict[str, Any]) -> Iterable[str]:
    for model in models:
        provider, _, name = model.partition(":")
        for tool, schema in tools.items():
            try:
                taken_schema(schema, rules_of(provider, name))
            except SchemaFaultError as error:
                yield f"agent {agent.name!r}: {model} is not sent tool {tool}: {error}"
