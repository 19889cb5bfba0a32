"""Flow control: the headers that ask for it, and parallelism and rate per key, across destinations (qstash.md 4, 18).

Invariant: `in_flight` never exceeds the parallelism in force when a delivery starts, and no more than `rate`
deliveries start in one period. A message that waits for a retry holds no slot.
"""

from dataclasses import dataclass, field

from baton_local.qstash.core.answer import bad_request
from baton_local.qstash.core.limits import parse_duration_ms
from baton_local.qstash.core.queues import Line

MAX_PERIOD_SECONDS = 7 * 86_400
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """What one message asks for; None means no limit of that kind."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period_seconds: int = 1


def parse_flow(key: str | None, value: str | None) -> FlowSpec | None:
    """Return the pair of headers as a record, None if neither is there; 400 if only one is."""
    if key is None and value is None:
        return None
    if not key:
        raise bad_request("Upstash-Flow-Control-Key: is missing; it must come with Upstash-Flow-Control-Value")
    if not value:
        raise bad_request("Upstash-Flow-Control-Value: is missing; send for example 'parallelism=3, rate=4, period=2s'")
    numbers: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, text = (piece.strip() for piece in part.partition("="))
        if name not in {"parallelism", "rate", "period"}:
            raise bad_request(f"Upstash-Flow-Control-Value: {part[:80]!r} is unknown; use parallelism=, rate=, period=")
        numbers[name] = parse_period(text) if name == "period" else parse_positive(text, name)
    if not numbers:
        raise bad_request(f"Upstash-Flow-Control-Value: {value[:80]!r} is empty; use parallelism=, rate=, period=")
    return FlowSpec(key, numbers.get("parallelism"), numbers.get("rate"), numbers.get("period", 1))


def parse_period(text: str) -> int:
    """Return seconds of a period: a duration, or a plain number of seconds; at most a week."""
    field = "flow control period"
    seconds = int(text) if is_number(text) else parse_duration_ms(text, field) // 1_000
    if not 1 <= seconds <= MAX_PERIOD_SECONDS:
        raise bad_request(f"{field}: {text!r} is out of bounds; it lies between 1s and 7d")
    return seconds


def parse_positive(text: str, name: str) -> int:
    """Return a whole number of at least 1."""
    if not is_number(text) or int(text) < 1:
        raise bad_request(f"flow control {name}: {text[:80]!r} is not a whole number of at least 1")
    return int(text)


def is_number(text: str) -> bool:
    """Return whether the text is a short run of ASCII digits."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


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
    started: int = 0
    window_start_ms: int = 0
    unfinished: int = 0
    in_flight: int = 0
    last_used_ms: int = 0
    waiters: Line[str] = field(default_factory=Line)
    wakes_at_ms: int = 0

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        """Keep on disk what comes before `unfinished`; the rest follows from the messages."""
        return FlowKey, tuple(getattr(self, name) for name in self.__match_args__[:9])

    def configure(self, spec: FlowSpec) -> bool:
        """Take the limits of the latest message, except pinned ones; whether anything changed."""
        before = (self.parallelism, self.rate, self.period_seconds)
        if not self.pinned_parallelism:
            self.parallelism = spec.parallelism or 0
        if not self.pinned_rate:
            self.rate, self.period_seconds = spec.rate or 0, spec.period_seconds
        return before != (self.parallelism, self.rate, self.period_seconds)

    def has_capacity(self, now_ms: int, period_ms: int) -> bool:
        """Return whether one more delivery may start now."""
        if self.paused or (self.parallelism and self.in_flight >= self.parallelism):
            return False
        return not self.rate or self.started < self.rate or now_ms >= self.window_start_ms + period_ms

    def start(self, now_ms: int, period_ms: int) -> None:
        """Count the start of a delivery; a window begins with the first start in it."""
        if now_ms >= self.window_start_ms + period_ms:
            self.window_start_ms, self.started = now_ms, 0
        self.started += 1
        self.in_flight += 1
        self.last_used_ms = now_ms

    def end(self, now_ms: int) -> None:
        self.in_flight = max(0, self.in_flight - 1)
        self.last_used_ms = now_ms

    @property
    def idle(self) -> bool:
        """Whether forgetting the key would lose nothing but its history."""
        return not (self.unfinished or self.paused or self.pinned_parallelism or self.pinned_rate)
