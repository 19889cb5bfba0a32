"""MCP servers of agents, connected for each process once: their calls are steps, which come and go."""

import asyncio
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from agents.mcp import MCPServer

# Of each loop, by a server's id: what keeps its connection, in a task of its own.
_CONNECTED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Any]] = WeakKeyDictionary()


async def connect(servers: Iterable[MCPServer]) -> None:
    """Connect those that are not connected in this loop."""
    known = _CONNECTED.setdefault(asyncio.get_running_loop(), {})
    for server in servers:
        if id(server) in known:
            continue
        from agents.mcp import MCPServerManager  # noqa: PLC0415 - agents without servers need none

        manager = MCPServerManager([server], strict=True, connect_in_parallel=True, drop_failed_servers=False)
        await manager.connect_all()
        known[id(server)] = manager
