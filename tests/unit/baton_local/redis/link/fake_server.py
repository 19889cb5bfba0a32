"""A server that speaks RESP2 as the test tells it to: answers, silence, broken connections."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Self

from baton_local.redis.link.address import ServerAddress
from baton_local.redis.link.resp import OK, Reply, ReplyParser, Status, encode_reply

Answering = Callable[[list[bytes]], Reply]


def echo(command: list[bytes]) -> Reply:
    """The default: greetings as a real server, everything else its last argument."""
    if command[0] == b"PING":
        return Status(b"PONG")
    if command[0] == b"INFO":
        return b"run_id:fake\r\n"
    if command[0] in (b"COMMAND", b"CLIENT"):
        return [] if command[0] == b"COMMAND" else OK
    return command[-1]


class FakeServer:
    """Listens on a unix socket; `commands` is all that it was sent, greetings left out."""

    def __init__(self, folder: Path, answer: Answering = echo) -> None:
        self.address = ServerAddress(socket_path=folder / "s")
        self.answer = answer
        self.silent = False
        self.commands: list[list[bytes]] = []
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, str(self.address.socket_path))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.drop_connections()
        await asyncio.sleep(0.01)

    def drop_connections(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        parser = ReplyParser()  # a command is an array of bulk strings, as a reply may be
        try:
            while received := await reader.read(65_536):
                for command in parser.feed(received):
                    assert isinstance(command, list)
                    self._take([part for part in command if isinstance(part, bytes)], writer)
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _take(self, command: list[bytes], writer: asyncio.StreamWriter) -> None:
        if command[0] not in (b"PING", b"INFO", b"COMMAND", b"CLIENT"):
            self.commands.append(command)
            if self.silent:
                return
        writer.write(encode_reply(self.answer(command)))
