"""A small web server on 127.0.0.1 that answers as a test says, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

# (request line and headers, body) → the whole answer, as bytes.
Answer = Callable[[str, bytes], bytes]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP answer; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} x", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if "transfer_encoding" not in headers and "content_length" not in headers:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


@dataclass
class WebServer:
    """Where it listens, and the heads of the requests that came."""

    port: int = 0
    heads: list[str] = field(default_factory=list[str])
    bodies: list[bytes] = field(default_factory=list[bytes])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def web_server(answers: Answer) -> AsyncIterator[WebServer]:
    """Serve until the block ends."""
    served = WebServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            sizes = [line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length:")]
            body = await reader.readexactly(int(sizes[0])) if sizes else b""
            served.heads.append(head)
            served.bodies.append(body)
            writer.write(answers(head, body))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has read enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served
