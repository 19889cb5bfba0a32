"""Queues: first in, first out, at most `parallelism` in progress (qstash.md 15).

Invariant: a message keeps its turn from admission until it is delivered or failed and its callbacks are finished,
including all retry waits.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from baton_local.qstash.core.line import Line


@dataclass(slots=True)
class Queue:
    """One queue; only name, parallelism, paused and the times are kept on disk, the rest follows from messages."""

    name: str
    created_at_ms: int
    updated_at_ms: int
    parallelism: int = 1
    paused: bool = False
    waiting: OrderedDict[str, None] = field(default_factory=OrderedDict)
    # Turns taken: message id → what still holds the turn (the message itself, and its unfinished callbacks).
    turns: dict[str, int] = field(default_factory=dict)
    held: Line[str] = field(default_factory=Line)
    members: set[str] = field(default_factory=set)

    def join(self, message_id: str) -> None:
        """Take a place at the end of the line."""
        self.members.add(message_id)
        self.waiting[message_id] = None

    def next_turn(self) -> str | None:
        """Give a turn to the first in line, if one is free."""
        if self.paused or not self.waiting:
            return None
        message_id = next(iter(self.waiting))
        # After a restart a callback may already hold the turn of the message that it reports on.
        if len(self.turns) >= self.parallelism and message_id not in self.turns:
            return None
        del self.waiting[message_id]
        self.hold(message_id)
        return message_id

    def leave(self, message_id: str) -> None:
        """The message is finished (or cancelled); its turn ends when nothing else holds it."""
        self.members.discard(message_id)
        self.waiting.pop(message_id, None)
        self.held.leave(message_id)
        self.release(message_id)

    def hold(self, message_id: str) -> None:
        """One more holder of this turn: the message itself, or a callback of it that was made."""
        self.turns[message_id] = self.turns.get(message_id, 0) + 1

    def release(self, message_id: str) -> None:
        """One holder of the turn is done."""
        left = self.turns.get(message_id, 0) - 1
        if left > 0:
            self.turns[message_id] = left
        else:
            self.turns.pop(message_id, None)
