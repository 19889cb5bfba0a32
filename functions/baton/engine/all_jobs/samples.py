"""How the admission stood in the last hours: a sample for each minute in which a sweep ran. Pure.

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
    """How it stood at a time: jobs that hold a slot, jobs in line for one, and how many slots there are."""

    at_ms: int
    active: int
    pending: int
    slots: int


def place_of(at_ms: int) -> int:
    """The place of a time in the ring."""
    return at_ms // MINUTE_MS % PLACES


def recent(samples: Iterable[Sample], now_ms: int) -> tuple[Sample, ...]:
    """Those of the last hours, the oldest first: a place that no sweep has come by since has an older one."""
    return tuple(sorted((each for each in samples if each.at_ms > now_ms - KEPT_MS), key=attrgetter("at_ms")))
