"""Asking a part whether it serves, over its own wire.

Plain sockets rather than an HTTP client: a client library would cost the start-up a quarter of a second. Every check
answers True or False within its time limit and never raises for a part that is not there yet.
"""

import asyncio

CHECK_TIMEOUT_SECONDS = 2.0
ANSWER_BYTES = 4_096


async def http_is_ready(host: str, port: int, path: str, proof: str = "") -> bool:
    """Say whether `GET path` is answered with 200, by the one that knows this proof."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            answer = await _ask(*await asyncio.open_connection(host, port), request.encode(), proof.encode())
    except (OSError, TimeoutError):
        return False
    return answer.split(b" ")[1:2] == [b"200"] and proof.encode() in answer


async def redis_socket_is_ready(socket_path: str) -> bool:
    """Say whether the server on this unix socket answers commands (while it loads its data it does not)."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            head = await _ask(*await asyncio.open_unix_connection(socket_path), b"PING\r\n", b"")
    except (OSError, TimeoutError):
        return False
    return head.startswith(b"+PONG")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, until: bytes) -> bytes:
    """Send the request and return the beginning of the answer, as far as `until` if that is in it."""
    try:
        writer.write(request)
        await writer.drain()
        answer = await reader.read(ANSWER_BYTES)
        while until not in answer and len(answer) < ANSWER_BYTES and (more := await reader.read(ANSWER_BYTES)):
            answer += more
        return answer
    finally:
        writer.close()
