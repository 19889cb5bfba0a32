"""What the state machine is configured with: limits, windows, the scale of waiting; and durations as text.

Plain values; the settings of the server contain one of these. Durations are `1d10h30m` from callers and `6m5.2s` from
destinations (qstash.md 2); their digits are bounded so that a hostile number costs nothing. Pure.
"""

import re
from dataclasses import dataclass

from baton_local.qstash.core.answer import bad_request

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"([0-9]{1,12})([smhd])")
_WHOLE = re.compile(r"(?:[0-9]{1,12}[smhd]){1,16}")

_FINE_UNIT_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
_FINE_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(ns|us|µs|μs|ms|s|m|h)")
_FINE_WHOLE = re.compile(rf"(?:{_FINE_PART.pattern}){{1,16}}")


def parse_duration_ms(text: str, field: str) -> int:
    """Return milliseconds of a caller's duration such as `50s` or `1h30m3s`; 400 naming the field otherwise."""
    if not _WHOLE.fullmatch(text):
        raise bad_request(f"{field}: {text[:80]!r} is not a duration; write it like 50s, 10m or 1d10h30m")
    return sum(int(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))


def parse_fine_duration_ms(text: str) -> float | None:
    """Return milliseconds of a destination's duration (`6m5s`, `1.5s`, `20ms`), or None if it is none."""
    if not _FINE_WHOLE.fullmatch(text):
        return None
    return sum(float(number) * _FINE_UNIT_MS[unit] for number, unit in _FINE_PART.findall(text))


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
        """Return a wait's real length: delays, backoff, dedup window and rate periods shrink by `time_scale`."""
        return duration_ms if self.time_scale == 1 else int(duration_ms / self.time_scale)
