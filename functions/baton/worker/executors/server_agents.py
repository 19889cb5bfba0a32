"""Turns and tool calls of agents with MCP servers: done with a registry that has the tools of these servers.

Invariant: where a server gives no list, the piece of work fails before any call. Must not: keep a list; the cache does.
"""

import asyncio
from collections.abc import Callable, Sequence
from copy import copy

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunScript, RunTool, Work
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed, ToolRunsAgain
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry, UnknownAgentError, offered
from baton.sdk.mcp.client import McpError, listed
from baton.sdk.mcp.mcp_server import McpContext, McpServer
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.records.memory import ModelCache
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.tool import Tool
from baton.worker.executors.executor import Executing
from baton_events.values.text import text_of


class WithServers:
    """Performs work for which the agent's tools matter, by the executor that `work_with` makes for the present ones."""

    def __init__(
        self, registry: Registry, work_with: Callable[[Registry], Executing], cache: ModelCache | None
    ) -> None:
        self._registry, self._work_with, self._cache = registry, work_with, cache
        self._work = work_with(registry)

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """List the agent's servers, and do the work."""
        assert isinstance(effect, CallModel | RunScript | RunTool), "this executor is registered for these"
        try:
            agent = self._registry.agent(effect.job.agent)
        except UnknownAgentError:
            return await self._work(effect, history, claim)  # the work reports it
        servers = [source for source in agent.servers if isinstance(source, McpServer)]
        if not servers:
            return await self._work(effect, history, claim)
        context = McpContext(effect.job.tenant, effect.job.session_id, effect.job.id)
        try:
            lists = await asyncio.gather(*(listed(server, context, self._cache) for server in servers))
            pairs = zip(servers, lists, strict=True)
            tools = [each for server, listing in pairs for each in server_tools(server, context, listing)]
            registry = registry_with_tools(self._registry, agent, tools)
        except (McpError, ValueError) as error:
            retryable = isinstance(error, McpError) and error.retryable
            if retryable and isinstance(effect, RunTool) and (later := _looked_at_later(effect, claim.now_ms)):
                return later
            failure = Failure("mcp_server", text_of(error), retryable)
            wait_seconds = error.wait_seconds if isinstance(error, McpError) else None
            failed = ToolFailed if isinstance(effect, RunTool) else ModelFailed
            return failed(failure, wait_seconds)
        return await self._work_with(registry)(effect, history, claim)


def _looked_at_later(effect: RunTool, now_ms: int) -> ToolRunsAgain | None:
    """Return the next poll of a call whose task goes on while its server is away."""
    from baton.sdk.mcp.tasks import lost  # noqa: PLC0415 - it imports the SDK

    later = lost(effect.call.memo, now_ms)
    return ToolRunsAgain(later.at_ms(now_ms), later.memo) if later else None


def registry_with_tools(registry: Registry, agent: Agent, tools: Sequence[Tool]) -> Registry:
    """Return a registry in which the agent has these tools, too. Raises ValueError: two of its tools have one name."""
    other, all_of = copy(registry), dict(registry.tools_of(agent))
    for each in tools:
        if each.name in all_of:
            raise ValueError(f"agent {agent.name!r} has two tools named {each.name!r}; give its MCP server a prefix")
        all_of[each.name] = each
    known = vars(registry)
    vars(other).update(
        _tools=known["_tools"] | all_of,
        _tools_of={**known["_tools_of"], agent.name: all_of},
        _offered={**known["_offered"], agent.name: offered(agent, all_of)},
        _specs={},
    )
    return other
