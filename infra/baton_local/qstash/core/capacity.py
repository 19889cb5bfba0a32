"""How many deliveries are in flight, and which destination may start one more.

Invariant: a destination (scheme, host, port) starts a delivery only while it has fewer in flight than slots are free.
So one that never answers ends up with at most half of the slots, n such with n/(n+1), and a newcomer always finds some.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from baton_local.qstash.core.line import Line

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

    def has_room(self, origin: str) -> bool:
        """Whether this destination may start one more delivery."""
        known = self._origins.get(origin)
        return (known.in_flight if known else 0) < self.slots - self.in_flight

    def take(self, origin: str) -> None:
        """A delivery starts."""
        self.in_flight += 1
        self._origins.setdefault(origin, _Origin()).in_flight += 1

    def give_back(self, origin: str) -> None:
        """A delivery has ended."""
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
        """A parked message was cancelled."""
        known = self._origins.get(origin)
        if known is not None and waiting in known.parked:
            known.parked.leave(waiting)
            self._tidy(origin, known)

    def next_parked(self) -> WaitingMessage | None:
        """The next message that may start now, destinations in turn; None if none may."""
        for origin in self._with_parked:
            if self.has_room(origin):
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
