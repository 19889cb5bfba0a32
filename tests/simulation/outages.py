"""Outages of the store, the queue or both: when there are some, and for how long.

In the worlds of `AWAY_SEEDS` (plan.py) they last from a second to a day, as often for seconds as for hours. They begin
at any moment of the jobs, and some follow each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from baton.testing.dice import Dice

_OUTAGE, _LONG = 3, 7
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 86_400.0
_AWAY = (("store",), ("store",), ("queue",), ("store", "queue"))
# Two that belong together begin and end so far from each other, and one that follows another one begins so much later.
_APART_SECONDS, _FOLLOWS_SECONDS = 20.0, 600.0
# By then most jobs have begun; those that wait may be looked at some hours later.
_USUAL_SECONDS, _WAITED_SECONDS = 150.0, 7_200.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the store or the queue answers nothing but errors.

    `silent`: the queue delivers nothing, either; else it takes no message, and delivers what it has.
    """

    what: str
    begins: float
    ends: float
    silent: bool = False

    @property
    def refuses(self) -> bool:
        """Whether the queue takes no message, and yet delivers: what it delivers is used up."""
        return self.what == "queue" and not self.silent


def usual_outages(dice: Dice, rates: dict[str, float], calm_at: float) -> tuple[Outage, ...]:
    """Those that plain worlds have among their other faults."""
    return tuple(_usual(dice, what, calm_at) for what in ("store", "queue") if f"{what}-down" in rates)


def _usual(dice: Dice, what: str, calm_at: float) -> Outage:
    which = len(what)
    begins = dice.between(0, 120, _OUTAGE, which)
    return Outage(what, begins, min(calm_at, begins + dice.one_of((3, 25, 120, 600), _OUTAGE, which, 1)))


def long_outages(dice: Dice, waits_seconds: float) -> tuple[Outage, ...]:
    """One, or two in a row, that begin while jobs work, or wait for up to so long."""
    made, begins = list[Outage](), dice.between(0, _latest(dice, waits_seconds), _LONG)
    for which in range(2 if dice.chance(0.3, _LONG, 1) else 1):
        together = list(_together(dice, begins, which))
        made += together
        begins = max(one.ends for one in together) + dice.between(0, _FOLLOWS_SECONDS, _LONG, 6, which)
    return tuple(made)


def _together(dice: Dice, begins: float, which: int) -> Iterator[Outage]:
    lasts = _SHORTEST_SECONDS * (_LONGEST_SECONDS / _SHORTEST_SECONDS) ** dice.roll(_LONG, 2, which)
    what = dice.one_of(_AWAY, _LONG, 3, which)
    apart = min(lasts, _APART_SECONDS) if len(what) > 1 else 0.0
    for name in what:
        first, last = (apart * dice.roll(_LONG, place, which, len(name)) for place in (4, 5))
        silent = name == "queue" and dice.chance(0.5, _LONG, 8, which)
        yield Outage(name, begins + first, begins + lasts + last, silent)


def _latest(dice: Dice, waits_seconds: float) -> float:
    waits = waits_seconds > _USUAL_SECONDS and dice.chance(0.4, _LONG, 9)
    return min(waits_seconds, _WAITED_SECONDS) if waits else _USUAL_SECONDS
