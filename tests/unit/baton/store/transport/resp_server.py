"""A server that speaks RESP and says what a test wants it to say; it keeps what was asked of it."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Self

from baton_local.redis.resp import Reply, ReplyParser, encode_reply


class Hangs:
    """No answer, ever."""


class HangsUp:
    """No answer, and the connection is closed; `after`: bytes that still come."""

    def __init__(self, after: bytes = b"") -> None:
        self.after = after


Say = Callable[[list[str]], Reply | Hangs | HangsUp]


class RespServer:
    """Answers each command by `reply`; `writes` has the commands that came in one piece."""

    def __init__(self, say: Say, tls: ssl.SSLContext | None = None) -> None:
        self.reply = say
        self.requested: list[list[str]] = []
        self.writes: list[list[list[str]]] = []
        self.connections = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close all connections, as servers and what lies in between do with idle ones."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()
        await asyncio.sleep(0.01)

    @property
    def address(self) -> str:
        return f"redis{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        parser = ReplyParser()
        try:
            while data := await reader.read(1 << 20):
                commands = _texts(parser.feed(data))
                if commands:
                    self.writes.append(commands)
                for command in commands:
                    self.requested.append(command)
                    if not await self._answer(command, writer):
                        return
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, command: list[str], writer: asyncio.StreamWriter) -> bool:
        shown: Any = self.reply(command)
        if isinstance(shown, Hangs):
            await asyncio.sleep(60)
            return False
        if isinstance(shown, HangsUp):
            writer.write(shown.after)
            await writer.drain()
            return False
        writer.write(encode_reply(shown))
        await writer.drain()
        return True


def _texts(commands: list[Any]) -> list[list[str]]:
    return [[word.decode() for word in command] for command in commands]
