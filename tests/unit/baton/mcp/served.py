"""An MCP server of the official SDK on a free port of this machine, and what it heard."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp_types import ResourceLink, ToolAnnotations
from starlette.types import Receive, Scope, Send


@dataclass
class Served:
    """A server that runs. `down`: so many requests of tool calls are answered by an error of HTTP."""

    mcp: MCPServer
    url: str = ""
    heard: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    down: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the headers, and serve."""
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.heard.append(headers.get("mcp-method", ""))
            self.tokens.add(headers.get("authorization", ""))
            if self.down and self.heard[-1] == "tools/call":
                self.down -= 1
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)

    def __post_init__(self) -> None:
        """Make the application."""
        self.app = self.mcp.streamable_http_app(stateless_http=True)


def shop(runs: list[str]) -> MCPServer:
    """A server with tools of each kind."""
    mcp = MCPServer("shop")

    @mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
    def price(item: str) -> dict[str, int]:
        """Say what an item costs."""
        runs.append(f"price {item}")
        return {"euros": len(item)}

    @mcp.tool(name="order.item")
    async def order(item: str, count: int, context: Context) -> str:
        """Order an item."""
        runs.append(f"order {count} {item}")
        await context.report_progress(1, 2, "half")
        return f"{count} {item} ordered"

    @mcp.tool()
    def refuse() -> str:
        """Fail."""
        runs.append("refuse")
        raise ValueError("sold out")

    @mcp.tool(structured_output=False)
    def show() -> list[object]:
        """Show a picture."""
        link = ResourceLink(type="resource_link", name="manual", uri="https://shop.example/manual")
        return ["a picture", Image(data=b"123456", format="png"), link]

    return mcp


@asynccontextmanager
async def serving(mcp: MCPServer) -> AsyncIterator[Served]:
    """Serve until the end of the block."""
    served = Served(mcp)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served.url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        server = uvicorn.Server(uvicorn.Config(served, log_level="critical", lifespan="on"))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield served
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await running
