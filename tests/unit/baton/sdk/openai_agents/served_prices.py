"""An MCP server over stdio, which notes each start in the file that it is given."""

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("prices")


@server.tool()
def price(item: str) -> str:
    """Look up a price."""
    return f"{item}: 20"


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a") as starts:
        starts.write("start\n")
    server.run("stdio")
