"""A door before a server, which puts a key on each request: the conformance suite has none, and sends odd headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK_BYTES = 65_536


@asynccontextmanager
async def with_key(port: int, key: str) -> AsyncIterator[int]:
    open_now = set["asyncio.Task[None]"]()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing = asyncio.create_task(_pass_on(reader, writer, port, key))
        open_now.add(passing)
        passing.add_done_callback(open_now.discard)

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for passing in open_now:
            passing.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, key: str) -> None:
    """One connection has one request, so each is given the key, and all else stays byte for byte."""
    writers = [writer]
    try:
        if first := await reader.readline():
            answer, request = await asyncio.open_connection("127.0.0.1", port)
            writers.append(request)
            request.write(first + f"Authorization: Bearer {key}\r\nConnection: close\r\n".encode())
            there = asyncio.create_task(_pipe(reader, request))
            try:
                await _pipe(answer, writer)
            finally:
                there.cancel()
                await asyncio.wait([there])
    finally:
        for each in writers:
            each.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        return  # who goes away has had enough
