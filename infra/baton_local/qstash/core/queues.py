"""Where messages wait: a line, a queue with its parallelism (qstash.md 15), and the slots of the server.

Invariants: the lowest number leaves a line first. A message keeps its turn in a queue from admission until it is
delivered or failed and its callbacks are finished, including all retry waits. A destination (scheme, host, port) starts
a delivery only while it has fewer in flight than slots are free. So one that never answers ends up with at most half of
the slots, n such with n/(n+1), and a newcomer always finds some.
"""

import heapq
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting", bound=Hashable)

_LEFT_KEPT = 1_000


class Line(Generic[Waiting]):
    """Each who waits has the number that was drawn when it became due."""

    def __init__(self) -> None:
        self._numbers: dict[Waiting, int] = {}
        self._heap: list[tuple[int, Waiting]] = []

    def join(self, waiting: Waiting, number: int) -> None:
        """Wait, in front of all with a higher number."""
        self._numbers[waiting] = number
        heapq.heappush(self._heap, (number, waiting))

    def pop(self) -> Waiting:
        """Remove and return the next one in line; IndexError if the line is empty."""
        while True:
            number, waiting = heapq.heappop(self._heap)
            if self._numbers.get(waiting) == number:
                del self._numbers[waiting]
                return waiting

    def leave(self, waiting: Waiting) -> None:
        """Wait no more; one who does not wait may leave, too."""
        if self._numbers.pop(waiting, None) is not None and len(self._heap) > 2 * len(self._numbers) + _LEFT_KEPT:
            self._heap = [(number, each) for each, number in self._numbers.items()]
            heapq.heapify(self._heap)

    def __contains__(self, waiting: Waiting) -> bool:
        return waiting in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)


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

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return Queue, (self.name, self.created_at_ms, self.updated_at_ms, self.parallelism, self.paused)

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
        """Let go of the turn of a finished or cancelled message; it ends when nothing else holds it."""
        self.members.discard(message_id)
        self.waiting.pop(message_id, None)
        self.held.leave(message_id)
        self.release(message_id)

    def hold(self, message_id: str) -> None:
        """Add a holder of this turn: the message itself, or a callback that was made for it."""
        self.turns[message_id] = self.turns.get(message_id, 0) + 1

    def release(self, message_id: str) -> None:
        """Remove a holder of the turn."""
        left = self.turns.get(message_id, 0) - 1
        if left > 0:
            self.turns[message_id] = left
        else:
            self.turns.pop(message_id, None)


WaitingMessage = tuple[str, str]  # user, message id


@dataclass(slots=True)
class _Origin:
    in_flight: int = 0
    parked: Line[WaitingMessage] = field(default_factory=Line)


class Capacity:
    """The slots of the whole server."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.in_flight = 0
        self._origins: dict[str, _Origin] = {}
        self._with_parked: OrderedDict[str, None] = OrderedDict()

    def has_capacity(self, origin: str) -> bool:
        """Return whether this destination may start one more delivery."""
        known = self._origins.get(origin)
        return (known.in_flight if known else 0) < self.slots - self.in_flight

    def take(self, origin: str) -> None:
        """Count the start of a delivery."""
        self.in_flight += 1
        self._origins.setdefault(origin, _Origin()).in_flight += 1

    def give_back(self, origin: str) -> None:
        """Count the end of a delivery."""
        self.in_flight -= 1
        known = self._origins[origin]
        known.in_flight -= 1
        if not known.in_flight and not known.parked:
            del self._origins[origin]

    def park(self, origin: str, waiting: WaitingMessage, turn: int) -> None:
        """Wait, in order of turns, until this destination has room."""
        self._origins.setdefault(origin, _Origin()).parked.join(waiting, turn)
        self._with_parked[origin] = None

    def unpark(self, origin: str, waiting: WaitingMessage) -> None:
        """Remove a parked message that was cancelled."""
        known = self._origins.get(origin)
        if known is not None and waiting in known.parked:
            known.parked.leave(waiting)
            self._tidy(origin, known)

    def next_parked(self) -> WaitingMessage | None:
        """Return the next message that may start now, destinations in turn; None if none may."""
        for origin in self._with_parked:
            if self.has_capacity(origin):
                known = self._origins[origin]
                waiting = known.parked.pop()
                self._with_parked.move_to_end(origin)
                self._tidy(origin, known)
                return waiting
        return None

    def _tidy(self, origin: str, known: _Origin) -> None:
        if not known.parked:
            self._with_parked.pop(origin, None)
            if not known.in_flight:
                del self._origins[origin]
