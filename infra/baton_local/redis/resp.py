"""RESP2, the protocol of the server behind the bridge: commands to bytes, bytes to replies.

Invariant: feeding a byte stream in any split gives the same replies, and no byte is parsed twice.
Pure: no sockets, no clock. It never speaks RESP3, whose doubles and maps the REST clients cannot decode
(redis-rest.md 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, Union

_DOLLAR, _COLON, _PLUS, _MINUS, _STAR = b"$:+-*"
_LINE_LIMIT_BYTES = 1 << 20


class Status(bytes):
    """A simple string such as `OK` or `QUEUED`, told apart from a stored value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error reply; `text` is the server's own, its code first."""

    text: bytes

    @property
    def is_for_later(self) -> bool:
        """Whether it is about a server that cannot serve yet."""
        return self.text.startswith((b"LOADING", b"MASTERDOWN"))


Reply: TypeAlias = Union[bytes, int, ServerError, list["Reply"], None]  # noqa: UP007 - | cannot quote a name

OK = Status(b"OK")


class ResponseSyntaxError(Exception):
    """The server sent something that is not RESP2; the connection cannot be used any further."""


def encode_command(arguments: Sequence[bytes]) -> bytes:
    """Return one command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


def encode_reply(reply: Reply) -> bytes:
    """Return a reply as the server would have sent it (for `Upstash-Response-Format: resp2`)."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, Status):
        return b"+%b\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, ServerError):
        return b"-%b\r\n" % reply.text
    return b"*%d\r\n" % len(reply) + b"".join(map(encode_reply, reply))


class ReplyParser:
    """Turns received bytes into replies; keeps what is incomplete for the next call."""

    __slots__ = ("_needed_bytes", "_open", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed_bytes = 0
        self._open: list[tuple[list[Reply], int]] = []

    def feed(self, received: bytes) -> list[Reply]:
        """Return the replies that `received` completes, in order.

        Raises ResponseSyntaxError: the bytes are not RESP2.
        """
        try:
            return self._feed(received)
        except ValueError as error:
            raise ResponseSyntaxError(f"a reply holds no number where one belongs: {error}") from None

    def _feed(self, received: bytes) -> list[Reply]:
        if self._rest:
            self._rest += received
            if len(self._rest) < self._needed_bytes:
                return []
            received = bytes(self._rest)
            self._rest.clear()
        return self._parse(received)

    def _parse(self, data: bytes) -> list[Reply]:
        replies: list[Reply] = []
        position = 0
        while (line_end := data.find(b"\r\n", position)) >= 0:
            kind = data[position]
            after = line_end + 2
            if kind == _DOLLAR:
                size = int(data[position + 1 : line_end])
                value: Reply = None
                if size >= 0:
                    after += size + 2
                    if len(data) < after:
                        self._needed_bytes = after - position
                        break
                    value = data[line_end + 2 : after - 2]
            elif kind == _STAR:
                size = int(data[position + 1 : line_end])
                if size > 0:
                    self._open.append(([], size))
                    position = after
                    continue
                value = [] if size == 0 else None
            else:
                value = _line_value(kind, data[position + 1 : line_end])
            position = after
            self._deliver(value, replies)
        else:
            self._needed_bytes = 0
        if position < len(data):
            self._keep(data, position)
        return replies

    def _keep(self, data: bytes, position: int) -> None:
        self._rest += memoryview(data)[position:]
        if self._needed_bytes == 0 and len(self._rest) > _LINE_LIMIT_BYTES:
            raise ResponseSyntaxError(f"no line end within {_LINE_LIMIT_BYTES} bytes of a reply")

    def _deliver(self, value: Reply, replies: list[Reply]) -> None:
        """Hand a finished value to the innermost open array, closing the arrays that it fills."""
        while self._open:
            items, size = self._open[-1]
            items.append(value)
            if len(items) < size:
                return
            self._open.pop()
            value = items
        replies.append(value)


def _line_value(kind: int, line: bytes) -> Reply:
    if kind == _COLON:
        return int(line)
    if kind == _PLUS:
        return OK if line == b"OK" else Status(line)
    if kind == _MINUS:
        return ServerError(line)
    raise ResponseSyntaxError(f"a reply starts with {chr(kind)!r}, which RESP2 does not know")
