"""What becomes of one command that a client sent: forwarded, or answered by the bridge itself.

Invariant: a `Forward` never changes the shared connection's state and never blocks it; whatever might is an `Answer`
(refused) or `Apart` (a connection of its own).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from infra.local_redis.resp import Reply, ServerError

Rewrite: TypeAlias = Callable[[Reply], Reply]


@dataclass(slots=True)
class Forward:
    """Goes to the server as `frame`; `rewrite` turns the server's reply into the client's."""

    arguments: list[bytes]
    rewrite: Rewrite | None = None


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
    """An `ERR` answer."""
    return Answer(ServerError(b"ERR " + text.encode()))
