"""When a signature counts: from `nbf` to `exp`, and some seconds before and after, since no two clocks agree. Pure."""

# As for leases (functions/baton/dispatch/dispatching.py): the queue's clock and ours differ by less.
TOLERANCE_SECONDS = 5


def counts_at(now_ms: int, not_before_seconds: float, expires_seconds: float) -> bool:
    """Whether it counts now."""
    now_seconds = now_ms / 1000
    return not_before_seconds - TOLERANCE_SECONDS <= now_seconds < expires_seconds + TOLERANCE_SECONDS
