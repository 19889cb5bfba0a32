"""A server's own protocol over a socket, past the bridge and its refusals: one command, or very many at once."""

import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from baton_local.redis.resp import ReplyParser, ServerError, encode_command

PATIENCE_SECONDS = 60.0
CHUNK_BYTES = 1 << 20


class RawClient:
    def __init__(self, where: Path | int) -> None:
        if isinstance(where, Path):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(str(where))
        else:
            self._socket = socket.create_connection(("127.0.0.1", where))
        self._socket.settimeout(PATIENCE_SECONDS)

    def close(self) -> None:
        self._socket.close()

    def request(self, *command: str | int) -> Any:
        """One command's result, texts decoded.

        Raises:
            RuntimeError: the server refused it; its text is the server's.
        """
        (reply,) = self._exchange([command], 1)
        return plain(reply)

    def write(self, commands: Iterable[Sequence[str | int]]) -> None:
        """Run many commands, of whose replies only a refusal is of interest."""
        batch = list(commands)
        for reply in self._exchange(batch, len(batch)):
            if isinstance(reply, ServerError):
                plain(reply)

    def _exchange(self, commands: Iterable[Sequence[str | int]], count: int) -> list[Any]:
        frames = b"".join(encode_command([str(word).encode() for word in command]) for command in commands)
        self._socket.sendall(frames)
        parser, replies = ReplyParser(), list[Any]()
        while len(replies) < count:
            data = self._socket.recv(CHUNK_BYTES)
            if not data:
                raise ConnectionError("the server closed the connection")
            replies += parser.feed(data)
        return replies


def plain(reply: Any) -> Any:
    if isinstance(reply, ServerError):
        raise RuntimeError(reply.text.decode())  # noqa: TRY004 - what the server said, not what we were given
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    return reply.decode() if isinstance(reply, bytes) else reply
