"""Several commands of one request: what is written to the server, and how its replies become the client's.

Invariant: replies stand in the order of the commands, those that the bridge answers itself among them; a transaction
in which any command is refused is not sent at all (redis-rest.md 7). Pure: it writes nothing itself.
"""

from dataclasses import dataclass

from baton_local.redis.commands.command import Answer, Apart, Command, ScanPage
from baton_local.redis.link.resp import Reply, ServerError, encode_command

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
