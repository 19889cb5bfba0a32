"""MCP servers whose tools an agent may use: `from baton.mcp import McpServer`."""

from baton.mcp.mcp_server import ClientCredentials, McpServer

__all__ = ["ClientCredentials", "McpServer"]
