"""How long to wait before a failed model call or tool call is tried again.

`attempt` counts from 1 and is the attempt that failed; delays are in milliseconds. No jitter: nothing random is in the
core, and jobs spread by themselves.
"""

MAX_DELAY_MS = 3_600_000


def backoff_ms(base_seconds: float, attempt: int, asked_for_seconds: float | None = None) -> int:
    """`base · 2^(attempt-1)`, at least what the other side asked for (`Retry-After`), at most an hour.

    backoff_ms(1.0, 3) is 4000.
    """
    own = base_seconds * 1000 * 2 ** min(attempt - 1, 30)
    return int(min(MAX_DELAY_MS, max(own, (asked_for_seconds or 0) * 1000)))
