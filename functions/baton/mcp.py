"""MCP servers whose tools an agent may use: `from baton.mcp import McpServer`."""

from baton.sdk.mcp.mcp_server import ClientCredentials, McpContext, McpServer

__all__ = ["ClientCredentials", "McpContext", "McpServer"]
