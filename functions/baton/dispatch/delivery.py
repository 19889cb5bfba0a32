"""One delivered message, verified and parsed, and what became of it."""

from msgspec import Struct

from baton_events.schema import Event


class Delivered(Struct, frozen=True):
    """An event as the queue delivered it; `retried` counts earlier attempts of the same message.

    `token`: what the queue signed for this attempt; empty: nothing that could have been captured.
    """

    message_id: str
    retried: int
    event: Event
    token: str = ""


class Outcome(Struct, frozen=True):
    """What became of a message: a word for logs and the answer's body, how many events it dispatched."""

    word: str
    dispatched: int = 0
