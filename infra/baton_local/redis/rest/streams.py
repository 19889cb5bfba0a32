"""Server-sent events: subscriptions and the monitor (redis-rest.md 8).

Invariant: each stream has a connection to the server of its own, closed at once when the client goes away; a client
that reads slowly slows its own stream only; no payload can break the frame of its event.
"""

import asyncio
from collections.abc import AsyncIterator

from baton_local.redis.commands.access import READ_ONLY
from baton_local.redis.link.address import ServerAddress
from baton_local.redis.link.resp import Reply, ReplyParser, ResponseSyntaxError, ServerError, encode_command
from baton_local.redis.rest.http_connection import Background, Exchange
from baton_local.redis.rest.replies import JSON, Answers

STREAMS = frozenset({b"subscribe", b"psubscribe", b"monitor"})

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n"
    b"X-Accel-Buffering: no\r\n\r\n"
)
_PING = b": ping\n\n"
_PING_INTERVAL_SECONDS = 15.0
_CONNECT_TIMEOUT_SECONDS = 2.0
_CHUNK_BYTES = 65_536


def event(reply: Reply) -> bytes:
    r"""Return one event. Line ends inside it become `\n` and `\r` in two characters, as JSON writes them."""
    items = reply if isinstance(reply, list) else [reply]
    payload = b",".join([item if isinstance(item, bytes) else str(item).encode() for item in items])
    if payload == b"OK":
        payload = b'"OK"'  # the monitor's first line, in quotes
    text = payload.decode("utf-8", "replace").encode()
    return b"data: " + text.replace(b"\r", b"\\r").replace(b"\n", b"\\n") + b"\n\n"


class Streams:
    def __init__(self, address: ServerAddress, answers: Answers, background: Background) -> None:
        self._address, self._answers, self._background = address, answers, background

    def open(self, exchange: Exchange, command: list[bytes], *, read_only: bool) -> None:
        """Begin to stream what the server sends after `command`, the first element of which is one of `STREAMS`."""
        name = command[0].lower().decode()
        channels = [argument for argument in command[1:] if argument]
        if exchange.request.method == b"HEAD":
            self._answers.fail(exchange, 405, "ERR a stream has a body; use GET or POST")
        elif name == "monitor" and read_only:
            self._answers.fail(exchange, 400, f"{READ_ONLY}; it cannot run the 'monitor' command")
        elif bool(channels) is (name == "monitor"):
            how = "POST /monitor" if name == "monitor" else f"POST /{name}/<channel>"
            self._answers.fail(exchange, 400, f"ERR wrong number of arguments for '{name}'; use {how}")
        else:
            self._background.run(exchange, self._stream(exchange, [command[0], *channels]))

    async def _stream(self, exchange: Exchange, command: list[bytes]) -> None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                reader, writer = await self._address.open_stream()
        except (OSError, TimeoutError):
            self._answers.fail(exchange, 503, f"ERR no connection to the Redis server at {self._address}")
            return
        try:
            writer.write(encode_command(command))
            await self._pass_on(exchange, reader)
        finally:
            writer.transport.abort()

    async def _pass_on(self, exchange: Exchange, reader: asyncio.StreamReader) -> None:
        started = False
        async for replies in _replies(reader):
            if not started:
                if replies and isinstance(replies[0], ServerError):
                    self._answers.reply(exchange, JSON, replies[0])
                    return
                exchange.write(_HEAD)
                started = True
            exchange.write(b"".join(map(event, replies)) or _PING)
            await exchange.drained()
        if not started:
            self._answers.fail(exchange, 503, "ERR the connection to the Redis server was lost")
            return
        exchange.request.keep_alive = False
        exchange.finish()


async def _replies(reader: asyncio.StreamReader) -> AsyncIterator[list[Reply]]:
    """Yield what the server sends, as it comes; an empty list when it has been silent for a while."""
    parser = ReplyParser()
    while True:
        try:
            async with asyncio.timeout(_PING_INTERVAL_SECONDS):
                received = await reader.read(_CHUNK_BYTES)
            replies = parser.feed(received)
        except TimeoutError:
            yield []
            continue
        except (ConnectionError, ResponseSyntaxError):
            return
        if not received:
            return
        if replies:
            yield replies
