"""An MCP server of the official SDK on a free port of this machine, and what it heard."""

import asyncio
import contextlib
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from json import dumps

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp_types import ResourceLink, ToolAnnotations
from starlette.types import Receive, Scope, Send

PNG = b"\x89PNG\r\n\x1a\n a picture"


@dataclass
class Served:
    """A server that runs.

    `down`: so many requests of tool calls are answered by an error of HTTP; `away`: of all. `legacy`: it is of revision
    2025-11-25. `secret`: of the client whose token it takes alone; empty: it takes all requests. `asked`: for a token,
    how often.
    """

    mcp: MCPServer
    url: str = ""
    heard: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    down: int = 0
    away: int = 0
    legacy: bool = False
    secret: str = ""
    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            if self.legacy and headers.get("mcp-protocol-version", "") >= "2026":
                return await _answer(send, 400, b"")
            if self.secret and await self._guards(scope["path"], headers, send):
                return None
            self.heard.append(headers.get("mcp-method", ""))
            self.tokens.add(headers.get("authorization", ""))
            if self.away:
                self.away -= 1
                return await _answer(send, 503, b"")
            if self.down and self.heard[-1] == "tools/call":
                self.down -= 1
                return await _answer(send, 503, b"")
        await self.app(scope, receive, send)
        return None

    async def _guards(self, path: str, headers: dict[str, str], send: Send) -> bool:
        """Do as an authorization server does, and refuse who has no token of it."""
        base = self.url.removesuffix("/mcp")
        if path.startswith("/.well-known/oauth-protected-resource"):
            await _answer(send, 200, {"resource": self.url, "authorization_servers": [base]})
        elif path.startswith("/.well-known/oauth-authorization-server"):
            known = {"issuer": base, "token_endpoint": f"{base}/token", "authorization_endpoint": f"{base}/authorize"}
            await _answer(send, 200, known | {"response_types_supported": ["code"]})
        elif path == "/token":
            self.asked += 1
            basic = b64encode(f"baton:{self.secret}".encode()).decode()
            right = headers.get("authorization") == f"Basic {basic}"
            token = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}
            await _answer(send, 200 if right else 401, token if right else {"error": "invalid_client"})
        elif headers.get("authorization") != "Bearer t0ken":
            await _answer(send, 401, b"")
        else:
            return False
        return True

    def __post_init__(self) -> None:
        self.app = self.mcp.streamable_http_app(stateless_http=not self.legacy)


async def _answer(send: Send, status: int, body: object) -> None:
    content = body if isinstance(body, bytes) else dumps(body).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def shop(runs: list[str]) -> MCPServer:
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
        return ["a picture", Image(data=PNG, format="png"), link, Image(data=PNG, format="gif")]

    return mcp


@asynccontextmanager
async def serving(mcp: MCPServer, *, legacy: bool = False) -> AsyncIterator[Served]:
    """Serve until the end of the block."""
    served = Served(mcp, legacy=legacy)
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
