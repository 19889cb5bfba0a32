"""The real clock: the one place that reads the time."""

import time


class SystemClock:
    """`Clock` of the operating system."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000
