"""How often one source may fail, counted in this process alone: no store is asked, so an attack costs nothing there.

Invariant: only what is spent counts; who never fails is never refused. Sources are forgotten, the longest unseen first,
when there are too many.
"""

from collections import OrderedDict

from baton.ports import Clock

_MOST_SOURCES = 10_000
_MINUTE_MS = 60_000


class SourceBudget:
    """So many failures a minute for each source, and as many at once at most."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._spent: OrderedDict[str, tuple[float, int]] = OrderedDict()  # source → (spent, at)

    def wait_seconds(self, source: str) -> float:
        """0: it may go on; else how long until it may."""
        over = self._now_spent(source) - (self._per_minute - 1)
        return max(0.0, over * _MINUTE_MS / self._per_minute / 1000)

    def spend(self, source: str) -> None:
        """It failed once more."""
        spent = min(self._per_minute, self._now_spent(source) + 1)
        self._spent[source] = (spent, self._clock.now_ms())
        self._spent.move_to_end(source)
        if len(self._spent) > _MOST_SOURCES:
            self._spent.popitem(last=False)

    def _now_spent(self, source: str) -> float:
        spent, at_ms = self._spent.get(source, (0.0, 0))
        return max(0.0, spent - max(0, self._clock.now_ms() - at_ms) * self._per_minute / _MINUTE_MS)
