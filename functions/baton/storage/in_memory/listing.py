"""The list of jobs in memory: the rules of engine/all_jobs/job_list.py over the rows kept with the slot table."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from baton.engine.all_jobs.job_list import (
    Found,
    Query,
    Row,
    all_members,
    bounds,
    found,
    index_of,
    matching,
    ranges_below,
)
from baton.engine.all_jobs.job_texts import hits, is_text, outcomes_before, texts_of, with_texts
from baton.engine.all_jobs.shelves import behind
from baton.storage.in_memory.admission import InMemoryAdmission
from baton.storage.ports.all_jobs import Scanned

# The same rows are written repeatedly.
_written = lru_cache(maxsize=1024)(with_texts)


class InMemoryListing:
    """`Listing` over an InMemoryAdmission."""

    def __init__(self, admission: InMemoryAdmission) -> None:
        self._admission = admission

    async def add(self, row: Row) -> None:
        """Write a job's rows and its text."""
        rows = frozenset(_written(row))
        if before := outcomes_before(row):
            self._drop(lambda member: before[0] <= member < before[1] and member not in rows)
        self._admission.rows = self._admission.rows if rows <= self._admission.rows else self._admission.rows | rows

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Read up to `limit` rows."""
        highest, lowest = bounds(query, before)
        inside = [member for member in self._admission.rows if lowest <= member < highest]
        stored = sorted(inside, reverse=True)[:limit]
        return Scanned(matching(query, stored), found(stored[-1]).position if len(stored) == limit else "")

    async def search(self, query: Query, before: str, limit: int) -> Scanned:
        """Search for `limit` jobs."""
        inside = hits(query, before, filter(is_text, self._admission.rows))
        return Scanned(tuple(inside[:limit]), inside[limit - 1].position if len(inside) > limit else "")

    async def old(self, after: str, before_ms: int, limit: int) -> Scanned:
        """Return some of the jobs created before `before_ms`."""
        query = Query(before_ms=before_ms)
        highest, lowest = bounds(query, "")
        begin = behind(index_of(query), after) if after else lowest
        stored = sorted(member for member in self._admission.rows if begin <= member < highest)[:limit]
        return Scanned(tuple(map(found, stored)), found(stored[-1]).position if len(stored) == limit else "")

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows and texts of these jobs."""
        gone = {name for one in found for name in all_members(one.member)}
        ranges = [ends for one in found for ends in (*ranges_below(one.job_id), texts_of(one))]
        self._drop(lambda member: member in gone or any(lowest <= member < highest for lowest, highest in ranges))

    def _drop(self, gone: Callable[[str], bool]) -> None:
        self._admission.rows = frozenset(member for member in self._admission.rows if not gone(member))
