"""MCP: agents as tools of a server, for hosts and agents elsewhere."""
