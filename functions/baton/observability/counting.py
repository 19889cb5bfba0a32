"""Adding to the deployment's counters where no COMMIT carries them along.

Invariant: nothing rests on counters, so a store that does not take them harms nothing.
"""

import logging
from collections.abc import Mapping

from baton.ports import Counters
from baton_events.errors import StoreError

_log = logging.getLogger("baton.store")


async def count(counters: Counters, counts: Mapping[str, int]) -> None:
    """Add to the sums, as far as the store takes it."""
    try:
        await counters.add(counts)
    except StoreError as error:
        _log.warning("not counted: %s: %s", ", ".join(counts), error)
