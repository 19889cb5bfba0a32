"""A conversation made to fit a size: results are shortened, then the oldest turns are left out.

Invariant: pure, so the same records are told the same way after a crash. The head is told whole, and so is at least
the newest turn: a head that is too large by itself is told all the same, and the provider says so.
"""

from msgspec.structs import replace

from baton.conversation.conversation import Conversation, Turn
from baton.conversation.shortening import shorten

# One turn with a large result must not push out all the others.
_SHARE_OF_ONE_TURN = 2
_NOTE_BYTES = 40


def fit(conversation: Conversation, limit_bytes: int) -> Conversation:
    """The conversation with at most about `limit_bytes`."""
    if conversation.size_bytes <= limit_bytes:
        return conversation
    room_bytes = max(0, limit_bytes - conversation.head_bytes - _NOTE_BYTES)
    turns = tuple(shorten(turn, room_bytes // _SHARE_OF_ONE_TURN) for turn in conversation.turns)
    kept = _newest(turns, room_bytes)
    old = conversation.turns[: len(turns) - kept]
    told = replace(conversation, turns=turns).without(old)
    return replace(told, left_out=conversation.left_out + len(old))


def _newest(turns: tuple[Turn, ...], room_bytes: int) -> int:
    """How many of the newest turns fit; one at least."""
    used_bytes = 0
    for count, turn in enumerate(reversed(turns)):
        used_bytes += turn.size_bytes
        if used_bytes > room_bytes and count:
            return count
    return len(turns)
