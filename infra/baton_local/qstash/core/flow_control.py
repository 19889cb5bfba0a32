"""Flow control: parallelism and rate per key, across destinations (qstash.md 18).

Invariant: `in_flight` never exceeds the parallelism in force when a delivery starts, and no more than `rate`
deliveries start in one period. A message that waits for a retry holds no slot.
"""

from dataclasses import dataclass, field

from baton_local.qstash.core.flow_spec import FlowSpec
from baton_local.qstash.core.line import Line


@dataclass(slots=True)
class FlowKey:
    """One key; 0 means no limit of that kind."""

    key: str
    parallelism: int = 0
    rate: int = 0
    period_seconds: int = 1
    pinned_parallelism: bool = False
    pinned_rate: bool = False
    paused: bool = False
    unfinished: int = 0
    in_flight: int = 0
    started: int = 0
    window_start_ms: int = 0
    last_used_ms: int = 0
    waiters: Line[str] = field(default_factory=Line)
    wakes_at_ms: int = 0

    def configure(self, spec: FlowSpec) -> bool:
        """Take the limits of the latest message, except pinned ones; whether anything changed."""
        before = (self.parallelism, self.rate, self.period_seconds)
        if not self.pinned_parallelism:
            self.parallelism = spec.parallelism or 0
        if not self.pinned_rate:
            self.rate, self.period_seconds = spec.rate or 0, spec.period_seconds
        return before != (self.parallelism, self.rate, self.period_seconds)

    def has_room(self, now_ms: int, period_ms: int) -> bool:
        """Whether one more delivery may start now."""
        if self.paused or (self.parallelism and self.in_flight >= self.parallelism):
            return False
        return not self.rate or self.started < self.rate or now_ms >= self.window_start_ms + period_ms

    def start(self, now_ms: int, period_ms: int) -> None:
        """One delivery starts; a window begins with the first start in it."""
        if now_ms >= self.window_start_ms + period_ms:
            self.window_start_ms, self.started = now_ms, 0
        self.started += 1
        self.in_flight += 1
        self.last_used_ms = now_ms

    def end(self, now_ms: int) -> None:
        """One delivery has ended."""
        self.in_flight = max(0, self.in_flight - 1)
        self.last_used_ms = now_ms

    def reset_rate(self, now_ms: int) -> None:
        """Begin a new window now, with nothing started."""
        self.started, self.window_start_ms = 0, now_ms

    @property
    def idle(self) -> bool:
        """Whether forgetting the key would lose nothing but its history."""
        return not (self.unfinished or self.paused or self.pinned_parallelism or self.pinned_rate)
