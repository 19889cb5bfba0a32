import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from baton_local.dev.part import http_is_ready, redis_socket_is_ready
from baton_local.dev.ports import any_free_port


@asynccontextmanager
async def answering(answer: bytes, socket_path: Path | None = None) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        await writer.drain()
        writer.close()

    if socket_path is not None:
        server = await asyncio.start_unix_server(handle, socket_path)
        port = 0
    else:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
    async with server:
        yield port


@pytest.mark.parametrize(("shown", "ready"), [(b"ours", True), (b"theirs", False), (b"", False)])
async def test_only_who_knows_the_proof_is_ours(shown: bytes, ready: bool) -> None:
    """A server of another stack, on the port that ours was to have, is not taken for ours."""
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + shown) as port:
        assert await http_is_ready("127.0.0.1", port, "/", "ours") is ready


@pytest.mark.parametrize(
    ("answer", "ready"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 Busy\r\n\r\n", False), (b"nonsense", False), (b"", False)],
)
async def test_only_a_200_counts_as_ready(answer: bytes, ready: bool) -> None:
    """Whatever else is said."""
    async with answering(answer) as port:
        assert await http_is_ready("127.0.0.1", port, "/readyz") is ready


@pytest.mark.parametrize(("answer", "ready"), [(b"+PONG\r\n", True), (b"-LOADING data\r\n", False)])
async def test_redis_is_ready_when_it_answers_commands(tmp_path: Path, answer: bytes, ready: bool) -> None:
    async with answering(answer, tmp_path / "s"):
        assert await redis_socket_is_ready(str(tmp_path / "s")) is ready


async def test_nobody_there_is_not_ready(tmp_path: Path) -> None:
    assert not await http_is_ready("127.0.0.1", any_free_port(frozenset()), "/")
    assert not await redis_socket_is_ready(str(tmp_path / "none"))
