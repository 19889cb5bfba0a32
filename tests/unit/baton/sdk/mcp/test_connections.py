"""Connections to MCP servers that hang: each costs the call that waits for it, and no later one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from baton.mcp import McpServer
from baton.sdk.mcp import connections
from baton.sdk.mcp.mcp_server import McpContext

SERVER = McpServer("https://mcp.example.com/mcp")


class Opened:
    """Stands in for the SDK: the first connection hangs where `hangs` says."""

    def __init__(self, hangs: str) -> None:
        self.hangs = hangs
        self.count = 0

    @asynccontextmanager
    async def connected(self, _server: McpServer, _context: McpContext) -> AsyncIterator[int]:
        """Yield the number of the connection."""
        self.count += 1
        number = self.count
        if number == 1 and self.hangs == "connecting":
            await asyncio.Event().wait()
        yield number

    async def call(self) -> int:
        async with connections.connection(SERVER, cast("Any", None)) as client:
            number = cast("int", client)
            if number == 1 and self.hangs == "calling":
                await asyncio.Event().wait()
            return number


@pytest.mark.parametrize("hangs", ["connecting", "calling"])
async def test_a_connection_that_hangs_costs_its_own_call_only(hangs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(hangs)
    monkeypatch.setattr(connections, "_connected", opened.connected)
    monkeypatch.setattr(McpServer, "identity", lambda *_: ())
    async with connections.shared():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await opened.call()
        async with asyncio.timeout(1):
            assert [await opened.call() for _ in range(3)] == [2, 2, 2]
