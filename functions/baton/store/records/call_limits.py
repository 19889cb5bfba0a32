"""Limits of calls that share a key: their records, and the rules by which a call gets its moment and its place.

A call over a limit gets a moment of its own, so that it asks once more and not again and again. The store decides by
the functions here (store/redis/call_limits.py).
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from baton.engine.all_jobs.slots import QueueEntry


class KeyLimit(Struct, frozen=True):
    """One limit of a call, by its key. None: no limit of that kind."""

    key: str
    per_minute: float | None = None
    in_flight: int | None = None

    @property
    def step_ms(self) -> float:
        """The time between two moments of the key; infinite without a limit per minute."""
        return 60_000 / self.per_minute if self.per_minute else math.inf


class NamedCall(Struct, frozen=True):
    """A call that is to begin.

    `name`: a call that waits asks again under this name, and finds its moment and its place in line. `flow`: free
    places go to each flow in turn. `event`: published once a place is free for the call.
    """

    name: str
    flow: str
    event: str


class CallAnswer(Struct, frozen=True):
    """Whether a call may begin.

    `wait_ms`: 0: it may begin; else how long it waits. `limit`: the key of the limit that it waits for. `woken`:
    events of other calls that have a place now. `since_ms`: the time since which it has its places.
    """

    wait_ms: int = 0
    limit: str = ""
    woken: tuple[str, ...] = ()
    since_ms: int = 0


# A moment that is missed by more than this, and by more than the time between two, is replaced by another one.
MISSED_MS = 5_000


def is_missed(at_ms: float, step_ms: float, now_ms: int) -> bool:
    """Return whether a moment is missed: all late calls at once would be too many in a minute."""
    return now_ms - at_ms > max(MISSED_MS, step_ms)


def latest(moments: Mapping[str, float], now_ms: int) -> tuple[int, str]:
    """Return how long a call with these moments by key waits, 0 or less: not at all; and for which of the keys."""
    key = max(moments, key=moments.__getitem__)
    return math.ceil(moments[key] - now_ms), key


# A call that waits for a place asks again after this time, unless it is woken before. One that does not is gone.
PLACE_MS, _GONE_MS = 60_000, 120_000


def abandoned(holders: Mapping[str, QueueEntry], now_ms: int, lease_ms: int) -> dict[str, QueueEntry]:
    """Return the holders whose lease is over, or that have not come for the place that they were given."""
    return {
        name: entry
        for name, entry in holders.items()
        if now_ms - entry.since_ms > (_GONE_MS if entry.granted_by else lease_ms)
    }


def gone(granted: Mapping[str, QueueEntry], now_ms: int) -> dict[str, QueueEntry]:
    """Return the calls that were just given a place but ask for none any more, as those of a cancelled job do."""
    return {name: entry for name, entry in granted.items() if now_ms - entry.since_ms > _GONE_MS}
