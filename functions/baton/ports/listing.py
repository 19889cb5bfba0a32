"""The list of all jobs: written beside what a job needs, so that a list which fails is a gap in a page."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from baton.core.listing import Found, Query, Row


class Scanned(Struct, frozen=True):
    """Rows that a query may mean, newest first. `next`: the position at which to go on; empty: that is all."""

    found: tuple[Found, ...] = ()
    next: str = ""


class Listing(Protocol):
    """Rows of jobs. A row is a hint: its job may have ended otherwise by now, or be gone."""

    async def add(self, row: Row) -> None:
        """Write a job's rows, unless they are there. Shares the HTTP request of a script that is sent now."""
        ...

    async def scan(self, query: Query, before: str, limit: int) -> Scanned:
        """Look at up to `limit` rows before that position (empty: from the newest one); in one request."""
        ...

    async def old(self, after: str, before_ms: int, limit: int) -> Scanned:
        """Some of the jobs created before then, the oldest first, `limit` at most, behind that position."""
        ...

    async def forget(self, found: Sequence[Found]) -> None:
        """Remove all rows of jobs that are gone, and of the jobs below them. Harmless when repeated."""
        ...
