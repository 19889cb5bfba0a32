"""The list of jobs in memory: the rules of engine/all_jobs/job_list.py over the rows that lie with the slot table."""

from collections.abc import Sequence
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
from baton.engine.all_jobs.job_list import members as members_of
from baton.engine.all_jobs.shelves import behind
from baton.storage.in_memory.admission import InMemoryAdmission
from baton.storage.ports.all_jobs import Scanned

# The same rows are written again and again.
members = lru_cache(maxsize=1024)(members_of)


class InMemoryListing:
    """`Listing` over an InMemoryAdmission."""

    def __init__(self, admission: InMemoryAdmission) -> None:
        self._admission = admission

    async def add(self, row: Row) -> None:
        """Write a job's rows."""
        rows = frozenset(members(row))
        self._admission.rows = self._admission.rows if rows <= self._admission.rows else self._admission.rows | rows

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Look at up to `limit` rows."""
        highest, lowest = bounds(query, before)
        inside = [member for member in self._admission.rows if lowest <= member < highest]
        stored = sorted(inside, reverse=True)[:limit]
        return Scanned(matching(query, stored), found(stored[-1]).position if len(stored) == limit else "")

    async def old(self, after: str, before_ms: int, limit: int) -> Scanned:
        """Some of the jobs created before then."""
        query = Query(before_ms=before_ms)
        highest, lowest = bounds(query, "")
        begin = behind(index_of(query), after) if after else lowest
        stored = sorted(member for member in self._admission.rows if begin <= member < highest)[:limit]
        return Scanned(tuple(map(found, stored)), found(stored[-1]).position if len(stored) == limit else "")

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows of these jobs."""
        gone = {name for one in found for name in all_members(one.member)}
        below = [ends for one in found for ends in ranges_below(one.job_id)]
        self._admission.rows = frozenset(
            member
            for member in self._admission.rows
            if member not in gone and not any(lowest <= member < highest for lowest, highest in below)
        )
