"""Rate limits: for callers of the API by their keys, for the queue by source and session."""

import logging

from baton.store.redis.access import RateLimit
from baton_events.errors import StoreError, ThrottledError

_log = logging.getLogger("baton.edge")


async def wait_seconds(limit: RateLimit | None, name: str) -> float:
    """Return how long a name has to wait, in seconds; 0 while the store does not answer."""
    if limit is None:
        return 0
    try:
        return await limit.wait_seconds(name)
    except StoreError as error:
        _log.warning("no limit while the store does not answer: %s", error)
        return 0


async def admit_delivery(limit: RateLimit, source: str, session_id: str) -> None:
    """Let a delivery in. Raises ThrottledError: too many came from this address, or for this session."""
    for name, shown in ((f"from:{source}", f"from {source}"), (f"of:{session_id}", f"for session {session_id!r}")):
        if seconds := await wait_seconds(limit, f"delivery:{name}"):
            raise ThrottledError(f"too many deliveries {shown} (WORKER_RATE_LIMIT_PER_MINUTE)", seconds)
