"""Toolsets of MCP servers: their tools are listed once in a job."""

import pytest
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset

from baton import Registry
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.pydantic_ai.stopping import leaf_toolsets
from baton.testing import Simulation
from tests.unit.baton.pydantic_ai.documented_toolsets import CountingServer, mcp_of
from tests.unit.baton.pydantic_ai.played import call, played, scripted


@pytest.mark.parametrize("cached", [True, False])
async def test_tools_are_listed_once_in_a_job(*, cached: bool) -> None:
    """Unless the toolset keeps no list."""
    server = CountingServer("maths")
    agent = mcp_of(server).agent
    for leaf in leaf_toolsets(agent):
        if isinstance(leaf, MCPToolset):
            leaf.cache_tools = cached
    snapshot = await played(durable(agent, name="agent"))
    assert (snapshot.job.error, snapshot.job.status) == (None, JobStatus.COMPLETED)
    in_calls = 3  # MCP's SDK asks again in each call that returns, to check what it returned
    assert (server.lists == 1 + in_calls) is cached


async def test_a_server_outside_of_this_process_is_refused_in_virtual_time() -> None:
    """With what to use instead."""
    agent = Agent(scripted([call("add")], "done"), name="agent", toolsets=[MCPToolset(StdioTransport("server", []))])
    with pytest.raises(RuntimeError, match=r"starts a process, .*MCPToolset\(server\)"):
        await Simulation(Registry([durable(agent)])).run("agent", "go")
