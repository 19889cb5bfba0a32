"""What becomes of one command that a client sent: forwarded, or answered by the bridge itself.

Invariant: a `Forward` never changes the shared connection's state and never blocks it; whatever might is an `Answer`
(refused) or `Apart` (a connection of its own).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from baton_local.redis.resp import Reply, ServerError
from baton_local.redis.scan import ScanPage

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
    """An `ERR` answer."""
    return Answer(ServerError(b"ERR " + text.encode()))
