"""Queries that go on: what is left of each, until it ends or nobody asks for too long.

Invariant: no hit is given twice, and the whole search is that of the moment when it began. Kept in memory only: after
a restart the ids are unknown, as ended ones are. Must not make ids or look at a clock; both come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from baton_local.vector.core.errors import unacceptable, unknown
from baton_local.vector.core.querying import Hit
from baton_local.vector.core.record import Include


@dataclass(slots=True)
class _Open:
    hits: Sequence[Hit]
    given: int
    include: Include
    max_idle_ms: int
    last_used_ms: int


class ResumableQueries:
    """Those that are open."""

    def __init__(self, max_open: int) -> None:
        self._max_open = max_open
        self._open: dict[str, _Open] = {}

    def count(self, now_ms: int) -> int:
        """How many are open."""
        self._expire(now_ms)
        return len(self._open)

    def check_room(self, now_ms: int) -> None:
        """Refuse when too many are open."""
        if self.count(now_ms) >= self._max_open:
            raise unacceptable(
                f"Too many resumable queries: {self._max_open} are open; end some with /resumable-query-end"
            )

    def begin(
        self, name: str, hits: Sequence[Hit], *, first: int, include: Include, max_idle_ms: int, now_ms: int
    ) -> Sequence[Hit]:
        """Keep a query under this name; its first hits."""
        self._open[name] = _Open(hits, 0, include, max_idle_ms, now_ms)
        return self.more(name, first, now_ms)[0]

    def more(self, name: str, count: int, now_ms: int) -> tuple[Sequence[Hit], Include]:
        """The next hits, and how they are shown; none when all are given."""
        found = self._find(name, now_ms)
        hits = found.hits[found.given : found.given + count]
        found.given += len(hits)
        found.last_used_ms = now_ms
        return hits, found.include

    def end(self, name: str, now_ms: int) -> None:
        """Forget a query."""
        self._find(name, now_ms)
        del self._open[name]

    def _find(self, name: str, now_ms: int) -> _Open:
        self._expire(now_ms)
        found = self._open.get(name)
        if found is None:
            raise unknown(
                f"Resumable query {name} does not exist, or it has ended; start another with /resumable-query"
            )
        return found

    def _expire(self, now_ms: int) -> None:
        idle = [name for name, query in self._open.items() if now_ms - query.last_used_ms > query.max_idle_ms]
        for name in idle:
            del self._open[name]
