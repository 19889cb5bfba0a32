"""`Upstash-Flow-Control-Key` and `-Value` as a record (qstash.md 4, 18)."""

from dataclasses import dataclass

from baton_local.qstash.core.duration import parse_duration_ms
from baton_local.qstash.core.errors import bad_request

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
    """The pair of headers as a record, None if neither is there; 400 if only one is."""
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
    """Seconds of a period: a duration, or a plain number of seconds; at most a week."""
    field = "flow control period"
    seconds = int(text) if is_number(text) else parse_duration_ms(text, field) // 1_000
    if not 1 <= seconds <= MAX_PERIOD_SECONDS:
        raise bad_request(f"{field}: {text!r} is out of bounds; it lies between 1s and 7d")
    return seconds


def parse_positive(text: str, name: str) -> int:
    """A whole number of at least 1."""
    if not is_number(text) or int(text) < 1:
        raise bad_request(f"flow control {name}: {text[:80]!r} is not a whole number of at least 1")
    return int(text)


def is_number(text: str) -> bool:
    """Whether the text is a short run of ASCII digits."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
