"""What becomes of one command that a client sent: forwarded, or answered by the bridge itself; and SCAN's full pages.

Invariant: a `Forward` never changes the shared connection's state and never blocks it; whatever might is an `Answer`
(refused) or `Apart` (a connection of its own). A stock server's SCAN looks at COUNT keys and may return none of them
with a cursor (redis-rest.md 9); the keys and cursors of a filled page are those that the same calls made by the client
would have given.

Of several commands of one request, replies stand in the order of the commands, those that the bridge answers itself
among them; a transaction in which any command is refused is not sent at all (redis-rest.md 7). Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

from baton_local.redis.link.resp import Reply, ServerError, encode_command

_DEFAULT_COUNT = 10
_LARGEST_COUNT = 1000
_CALLS_LIMIT = 1000  # after which a page may be short after all, as SCAN's contract allows


@dataclass(slots=True)
class ScanPage:
    options: list[bytes]
    wanted: int
    keys: list[Reply]
    cursor: bytes = b""
    calls: int = 0

    @classmethod
    def of_command(cls, arguments: list[bytes]) -> Self | None:
        """Return the page that a SCAN command asks for; None where nothing is filtered, so that the server fills it."""
        options, wanted, filtered = arguments[2:], _DEFAULT_COUNT, False
        kept: list[bytes] = []
        for name, value in zip(options[::2], options[1::2], strict=False):
            if name.upper() == b"COUNT":
                wanted = int(value) if value.isdigit() else _DEFAULT_COUNT
            else:
                filtered = True
                kept += [name, value]
        return cls(kept, wanted, []) if filtered else None

    def take(self, reply: Reply) -> bool:
        """Add one call's reply; whether another call is needed."""
        match reply:
            case [bytes(cursor), list(keys)]:
                self.calls += 1
                self.keys += keys
                self.cursor = cursor
                return cursor != b"0" and len(self.keys) < self.wanted and self.calls < _CALLS_LIMIT
            case _:
                return False

    def next_call(self) -> list[bytes]:
        """Return the command that goes on from here, with a larger COUNT at each step."""
        count = min(_LARGEST_COUNT, max(self.wanted, _DEFAULT_COUNT) << min(self.calls, 10))
        return [b"SCAN", self.cursor, *self.options, b"COUNT", b"%d" % count]

    def reply(self) -> Reply:
        return [self.cursor, self.keys]


Rewrite: TypeAlias = Callable[[Reply], Reply]


@dataclass(slots=True)
class Forward:
    """Goes to the server; `rewrite` turns its reply into the client's, `page` asks for more until it is full."""

    arguments: list[bytes]
    rewrite: Rewrite | None = None
    page: ScanPage | None = None


@dataclass(slots=True)
class Answer:
    """The bridge answers; the server never sees the command."""

    reply: Reply


@dataclass(slots=True)
class Apart:
    """Goes to the server over a connection of its own, because it may block or must overtake."""

    arguments: list[bytes]


Command: TypeAlias = Forward | Answer | Apart


def refusal(text: str) -> Answer:
    return Answer(ServerError(b"ERR " + text.encode()))


_MULTI = encode_command([b"MULTI"])
_EXEC = encode_command([b"EXEC"])


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands in order, one after the other, others' commands perhaps between them."""

    commands: list[Command]

    @property
    def reply_count(self) -> int:
        """How many replies the server will send."""
        return sum(not isinstance(command, Answer) for command in self.commands)

    @property
    def has_apart(self) -> bool:
        """Whether the whole needs a connection of its own."""
        return any(type(command) is Apart for command in self.commands)

    def arguments(self) -> list[list[bytes]]:
        """Return the commands that go to the server."""
        return [command.arguments for command in self.commands if not isinstance(command, Answer)]

    def frames(self) -> bytes:
        """Return the bytes for the server, in one go."""
        return b"".join(map(encode_command, self.arguments()))

    def short_pages(self, merged: list[Reply]) -> dict[int, ScanPage]:
        """Return the SCANs among the commands whose pages the server has not filled, by their position."""
        pages = {position: getattr(command, "page", None) for position, command in enumerate(self.commands)}
        return {position: page for position, page in pages.items() if page is not None and page.take(merged[position])}

    def merge(self, replies: list[Reply]) -> list[Reply]:
        """Return the client's replies, from the server's."""
        served = iter(replies)
        merged: list[Reply] = []
        for command in self.commands:
            if isinstance(command, Answer):
                merged.append(command.reply)
                continue
            reply = next(served)
            rewrite = getattr(command, "rewrite", None)
            merged.append(reply if rewrite is None else rewrite(reply))
        return merged


@dataclass(frozen=True, slots=True)
class Transaction:
    """The same as one MULTI/EXEC: all or, when any is refused at queueing, none."""

    pipeline: Pipeline

    @property
    def reply_count(self) -> int:
        """How many replies the server will send, those to MULTI and EXEC included."""
        return self.pipeline.reply_count + 2

    def frames(self) -> bytes:
        """Return the bytes for the server, in one go, so that nothing can come between."""
        return _MULTI + self.pipeline.frames() + _EXEC

    def refused(self) -> ServerError | None:
        """Return the bridge's first refusal, which keeps everything from being sent."""
        for command in self.pipeline.commands:
            if isinstance(command, Answer) and isinstance(command.reply, ServerError):
                return command.reply
        return None

    def merge(self, replies: list[Reply]) -> list[Reply] | ServerError:
        """Return the client's replies, or the one error for which the server ran nothing."""
        for reply in replies[:-1]:
            if isinstance(reply, ServerError):
                return reply
        executed = replies[-1]
        if isinstance(executed, list):
            return self.pipeline.merge(executed)
        if isinstance(executed, ServerError):
            return executed
        return ServerError(b"EXECABORT Transaction discarded by the server")
