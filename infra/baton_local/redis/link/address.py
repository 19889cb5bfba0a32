"""Where a Valkey or Redis server listens: a unix socket or a TCP port.

Invariant: an address names exactly one of the two. It opens nothing until asked to.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

_UNIX = "unix:"
_HIGHEST_PORT = 65_535

P = TypeVar("P", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Either `socket_path`, or `host` and `port`."""

    socket_path: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `unix:/path/to/socket` or `host:port`. Raises ValueError: the text is neither."""
        if text.startswith(_UNIX) and len(text) > len(_UNIX):
            return cls(socket_path=Path(text.removeprefix(_UNIX)))
        host, colon, port = text.rpartition(":")
        if colon and host and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT:
            return cls(host=host.strip("[]"), port=int(port))
        raise ValueError(f"{text!r} is no server address: give unix:/path/to/socket or host:port")

    def __str__(self) -> str:
        if self.socket_path is not None:
            return f"{_UNIX}{self.socket_path}"
        return f"{self.host}:{self.port}"

    async def connect(self, make_protocol: Callable[[], P]) -> P:
        """Open a connection and return its protocol object. Raises OSError: nobody listens there."""
        loop = asyncio.get_running_loop()
        if self.socket_path is not None:
            _, protocol = await loop.create_unix_connection(make_protocol, str(self.socket_path))
        else:
            _, protocol = await loop.create_connection(make_protocol, self.host, self.port)
        return protocol

    async def open_stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection as a pair of streams. Raises OSError: nobody listens there."""
        if self.socket_path is not None:
            return await asyncio.open_unix_connection(str(self.socket_path))
        return await asyncio.open_connection(self.host, self.port)
