"""What the state machine may be told from outside: limits, windows, the scale of waiting.

Plain values; the settings of the server (settings.py) contain one of these.
"""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the hosted service's plan (qstash.md 20), all settable."""

    max_message_bytes: int = 10 * 1_024 * 1_024
    max_batch_bytes: int = 100 * 1_024 * 1_024
    max_batch_items: int = 1_000
    max_delay_ms: int = 366 * DAY_MS
    max_retries: int = 1_000
    max_timeout_ms: int = 15 * 60_000
    max_queues: int = 1_000
    max_queue_parallelism: int = 1_000
    max_schedules: int = 1_000
    max_topics: int = 1_000
    max_endpoints: int = 100
    max_in_flight: int = 512
    max_response_bytes: int = 1_024 * 1_024
    dedup_window_ms: int = 10 * 60_000
    flow_key_retention_ms: int = 60 * 60_000
    time_scale: float = 1.0

    def scaled_ms(self, duration_ms: int) -> int:
        """How long a wait really takes: delays, backoff, dedup window and rate periods shrink by `time_scale`."""
        return duration_ms if self.time_scale == 1 else int(duration_ms / self.time_scale)
