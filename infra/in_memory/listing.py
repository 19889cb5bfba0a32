"""The list of jobs in memory: the rows that an InMemoryAdmission keeps, in their order."""

from collections.abc import Sequence

from events.core.listing import Found, Query, all_members, bounds, found, matching
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

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows of these jobs."""
        self._admission.rows -= {name for one in found for name in all_members(one.member)}
