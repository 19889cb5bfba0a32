"""The list of jobs in memory: the rows that an InMemoryAdmission keeps, in their order."""

import math
from collections.abc import Sequence

from events.core.listing import Found, Query, all_members, bounds, found, matching, ranges_below
from events.ports import Scanned
from infra.in_memory.admission import InMemoryAdmission


class InMemoryListing:
    """`Listing` over an InMemoryAdmission."""

    def __init__(self, admission: InMemoryAdmission) -> None:
        self._admission = admission

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Look at up to `limit` rows."""
        highest, lowest = bounds(query, before)
        inside = [member for member in self._admission.rows if lowest <= member < highest]
        stored = sorted(inside, reverse=True)[:limit]
        return Scanned(matching(query, stored), found(stored[-1]).position if len(stored) == limit else "")

    async def old(self, before_ms: int, turn: int, limit: int) -> tuple[Found, ...]:
        """Some of the jobs created before then."""
        highest, lowest = bounds(Query(before_ms=before_ms), "")
        stored = sorted(member for member in self._admission.rows if lowest <= member < highest)
        start = turn % math.ceil(len(stored) / limit) * limit if stored else 0
        return tuple(found(member) for member in stored[start : start + limit])

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows of these jobs."""
        gone = {name for one in found for name in all_members(one.member)}
        below = [ends for one in found for ends in ranges_below(one.job_id)]
        self._admission.rows = frozenset(
            member
            for member in self._admission.rows
            if member not in gone and not any(lowest <= member < highest for lowest, highest in below)
        )
