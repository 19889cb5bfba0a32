"""Writes a job's rows into the lists of jobs.

Invariant: nothing is raised. A list that does not take a row leaves a gap in a page, which is logged and counted; the
job's next admission update writes the row again.
"""

import logging

from baton.core.counts import LIST_GAPS
from baton.core.listing import Row
from baton.observability.counting import count
from baton.ports import Counters, Listing
from baton_events.errors import StoreError

_log = logging.getLogger("baton.listing")


class JobRows:
    """Writes rows."""

    def __init__(self, listing: Listing, counters: Counters) -> None:
        self._listing = listing
        self._counters = counters

    async def __call__(self, row: Row) -> None:
        """Write a job's rows, as far as the lists take them."""
        try:
            await self._listing.add(row)
        except StoreError as error:
            _log.error("job %s is missing from a list of jobs until it is written again: %s", row.job_id, error)
            await count(self._counters, {LIST_GAPS: 1})
