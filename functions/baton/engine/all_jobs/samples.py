"""The admission's load in the last hours: a sample for each minute in which a sweep ran. Pure.

Invariant: samples are a ring of a minute each, so there are never more than a ring has. Sweeps run while jobs hold
slots, and once an hour, so a minute without one had no job at work, or is part of an hour without work.
"""

from collections.abc import Iterable
from operator import attrgetter

from msgspec import Struct

MINUTE_MS = 60_000
PLACES = 360
KEPT_MS = PLACES * MINUTE_MS


class Sample(Struct, frozen=True, array_like=True):
    """The load at a time: jobs that hold a slot, jobs in line for one, and the number of slots."""

    at_ms: int
    active: int
    pending: int
    slots: int


def place_of(at_ms: int) -> int:
    """Return the place of a time in the ring."""
    return at_ms // MINUTE_MS % PLACES


def recent(samples: Iterable[Sample], now_ms: int) -> tuple[Sample, ...]:
    """Return the samples of the last hours, the oldest first; a place that no sweep overwrote has an older one."""
    return tuple(sorted((each for each in samples if each.at_ms > now_ms - KEPT_MS), key=attrgetter("at_ms")))
