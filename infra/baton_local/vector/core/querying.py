"""Exact search: every record that a query sees is compared; and queries that go on where they stopped.

The score is (1 + cosine) / 2 (vector-rest.md 5). Between directions, 1 - cosine is half the square of their distance,
and `math.dist` is several times faster than a sum of products in plain Python: about 0.1 s for 10,000 vectors of 384
numbers, so no numeric library is needed. Invariants: the most similar come first, and of equally similar ones the
older. No hit is given twice, and a whole search is that of the moment when it began. Ids and times come in as values.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from baton_local.vector.core.errors import unacceptable, unknown
from baton_local.vector.core.filter.matching import matches
from baton_local.vector.core.filter.syntax import Filter
from baton_local.vector.core.record import Include, Record, Vector, as_json

ROUND_TO_DIGITS = 7
_BEST_BELOW_ONE = 1 - 10.0**-ROUND_TO_DIGITS
# Directions that were rounded to single precision differ by less than this when they are the same.
_SAME_DIRECTION_DISTANCE = 1e-6
_SCORE_OF_ZERO_VECTOR = 0.5  # its cosine counts as 0


def scorer(wanted: Vector) -> Callable[[Vector], float]:
    """Return a function for the similarity to this vector, rounded: exactly 1 for the same direction, else below."""
    if wanted.unit is None:
        return lambda _other: _SCORE_OF_ZERO_VECTOR
    direction = tuple(wanted.unit)  # an array would be unpacked again for each comparison

    def score(other: Vector) -> float:
        if other.unit is None:
            return _SCORE_OF_ZERO_VECTOR
        distance = math.dist(direction, other.unit)
        if distance < _SAME_DIRECTION_DISTANCE:
            return 1.0
        return min(max(round(1 - distance * distance / 4, ROUND_TO_DIGITS), 0.0), _BEST_BELOW_ONE)

    return score


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and what is shown of it."""

    vector: Vector
    top_k: int
    include: Include
    filter: Filter | None = None


class Hit(NamedTuple):
    """A record and how similar it is; a tuple, since one is made for every record of a search."""

    score: float
    record: Record


def ranked(records: Sequence[Record], query: Query) -> list[Hit]:
    """Return all matching records, best first; `records` are in order of insertion."""
    score = scorer(query.vector)
    hits = [
        Hit(score(record.vector), record)
        for record in records
        if query.filter is None or matches(query.filter, record.metadata)
    ]
    hits.sort(key=lambda hit: -hit.score)  # stable, so ties stay in order of insertion
    return hits


def hits_as_json(hits: Sequence[Hit], include: Include) -> list[dict[str, Any]]:
    """Return the hits as answered."""
    shown = []
    for hit in hits:
        entry = as_json(hit.record, include)
        shown.append({"id": entry.pop("id"), "score": hit.score, **entry})
    return shown


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
        """Return how many are open."""
        self._expire(now_ms)
        return len(self._open)

    def check_capacity(self, now_ms: int) -> None:
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
        """Return the next hits, and how they are shown; none when all are given."""
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
